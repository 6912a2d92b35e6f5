package standin

import "fmt"

// Where Adoptium keeps its apt repository.
const (
	HostAdoptium = "packages.adoptium.net"
	adoptiumKey  = "/artifactory/api/gpg/key/public"
	adoptiumRoot = "/artifactory/deb"
)

// jdkFiles are the files of a JDK below home that tell its version.
func jdkFiles(home, version, vendor string) []File {
	java := fmt.Sprintf("#!/bin/sh\n# Stand-in: a JVM that knows its version.\n"+
		"echo 'openjdk version \"%[1]s\" 2026-07-21' >&2\n"+
		"echo 'OpenJDK Runtime Environment %[2]s (build %[1]s, stand-in)' >&2\n"+
		"echo 'OpenJDK 64-Bit Server VM %[2]s (build %[1]s, mixed mode)' >&2\n", version, vendor)
	return []File{
		{Path: home + "/release", Mode: 0o644, Data: fmt.Sprintf("IMPLEMENTOR=\"%s\"\nJAVA_VERSION=\"%s\"\n", vendor, version)},
		{Path: home + "/bin/java", Mode: 0o755, Data: java},
		{Path: home + "/bin/javac", Mode: 0o755, Data: fmt.Sprintf("#!/bin/sh\necho 'javac %s'\n", version)},
		{Path: home + "/lib/security/cacerts", Mode: 0o644, Data: "stand-in\n"},
	}
}

// DebTemurin makes a stand-in of the package temurin-MAJOR-jdk for this
// architecture; version is Java's, such as 21.0.8.
func DebTemurin(major, version, arch string) Deb {
	return Deb{
		Name: "temurin-" + major + "-jdk", Version: version + ".0.0+9-1", Arch: arch,
		Description: "stand-in for Eclipse Temurin " + major,
		Files:       jdkFiles("/usr/lib/jvm/temurin-"+major+"-jdk-"+arch, version, "Temurin"),
	}
}

// JDKArchive makes a stand-in of a JDK's tar.gz with one directory at its top.
func JDKArchive(version string) (Asset, error) {
	data, err := TarGz("", jdkFiles("/jdk-"+version, version, "Temurin"))
	if err != nil {
		return Asset{}, err
	}
	return Asset{Name: "jdk-" + version + "_linux-x64.tar.gz", Data: data}.digested()
}

// Adoptium makes Adoptium's repository as it lies on [HostAdoptium], with a
// key of its own: [AptRepository.Fingerprint] is not Adoptium's.
func Adoptium(arch string, suites []string, packages ...Deb) (*AptRepository, error) {
	return NewAptRepository(AptOptions{
		Root: adoptiumRoot, KeyPath: adoptiumKey, Suites: suites, Arch: arch, Packages: packages,
	})
}
