/*
 * What the kernel's acpi-cpufreq driver wants to see of each CPU: the register
 * that a performance state is written to (_PCT: an I/O port that nothing else
 * uses), the states (_PSS: MHz, mW, latency and latency in us, control,
 * status) and the fastest one allowed (_PPC). QEMU's tables have none of them.
 * Without _PSD, each CPU is a policy of its own.
 */
DefinitionBlock ("", "SSDT", 2, "BENCH", "LABPSS", 1)
{
    External (\_SB.CPUS.C000, DeviceObj)
    External (\_SB.CPUS.C001, DeviceObj)

    Scope (\_SB.CPUS.C000)
    {
        Name (_PCT, Package ()
        {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x0F10, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x0F10, 1) }
        })
        Name (_PSS, Package ()
        {
            Package () { 3000, 65000, 10, 10, 0, 0 },
            Package () { 2000, 45000, 10, 10, 1, 1 },
            Package () { 1000, 25000, 10, 10, 2, 2 }
        })
        Method (_PPC) { Return (0) }
    }

    Scope (\_SB.CPUS.C001)
    {
        Name (_PCT, Package ()
        {
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x0F12, 1) },
            ResourceTemplate () { Register (SystemIO, 8, 0, 0x0F12, 1) }
        })
        Name (_PSS, Package ()
        {
            Package () { 3000, 65000, 10, 10, 0, 0 },
            Package () { 2000, 45000, 10, 10, 1, 1 },
            Package () { 1000, 25000, 10, 10, 2, 2 }
        })
        Method (_PPC) { Return (0) }
    }
}
