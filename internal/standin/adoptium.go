package standin

// HostAdoptium is where Temurin packages come from.
const HostAdoptium = "packages.adoptium.net"
