package dev.platter.partition;

import java.util.HashMap;
import java.util.Map;

/** The types of MBR partitions in the words of fdisk ({@code sfdisk --label dos --list-types}, util-linux 2.38). */
final class MbrTypes {
    private static final String UNKNOWN = "unknown";

    private static final Map<Integer, String> NAMES = parse("""
            00 Empty
            01 FAT12
            02 XENIX root
            03 XENIX usr
            04 FAT16 <32M
            05 Extended
            06 FAT16
            07 HPFS/NTFS/exFAT
            08 AIX
            09 AIX bootable
            0a OS/2 Boot Manager
            0b W95 FAT32
            0c W95 FAT32 (LBA)
            0e W95 FAT16 (LBA)
            0f W95 Ext'd (LBA)
            10 OPUS
            11 Hidden FAT12
            12 Compaq diagnostics
            14 Hidden FAT16 <32M
            16 Hidden FAT16
            17 Hidden HPFS/NTFS
            18 AST SmartSleep
            1b Hidden W95 FAT32
            1c Hidden W95 FAT32 (LBA)
            1e Hidden W95 FAT16 (LBA)
            24 NEC DOS
            27 Hidden NTFS WinRE
            39 Plan 9
            3c PartitionMagic recovery
            40 Venix 80286
            41 PPC PReP Boot
            42 SFS
            4d QNX4.x
            4e QNX4.x 2nd part
            4f QNX4.x 3rd part
            50 OnTrack DM
            51 OnTrack DM6 Aux1
            52 CP/M
            53 OnTrack DM6 Aux3
            54 OnTrackDM6
            55 EZ-Drive
            56 Golden Bow
            5c Priam Edisk
            61 SpeedStor
            63 GNU HURD or SysV
            64 Novell Netware 286
            65 Novell Netware 386
            70 DiskSecure Multi-Boot
            75 PC/IX
            80 Old Minix
            81 Minix / old Linux
            82 Linux swap / Solaris
            83 Linux
            84 OS/2 hidden or Intel hibernation
            85 Linux extended
            86 NTFS volume set
            87 NTFS volume set
            88 Linux plaintext
            8e Linux LVM
            93 Amoeba
            94 Amoeba BBT
            9f BSD/OS
            a0 IBM Thinkpad hibernation
            a5 FreeBSD
            a6 OpenBSD
            a7 NeXTSTEP
            a8 Darwin UFS
            a9 NetBSD
            ab Darwin boot
            af HFS / HFS+
            b7 BSDI fs
            b8 BSDI swap
            bb Boot Wizard hidden
            bc Acronis FAT32 LBA
            be Solaris boot
            bf Solaris
            c1 DRDOS/sec (FAT-12)
            c4 DRDOS/sec (FAT-16 < 32M)
            c6 DRDOS/sec (FAT-16)
            c7 Syrinx
            da Non-FS data
            db CP/M / CTOS / ...
            de Dell Utility
            df BootIt
            e1 DOS access
            e3 DOS R/O
            e4 SpeedStor
            ea Linux extended boot
            eb BeOS fs
            ee GPT
            ef EFI (FAT-12/16/32)
            f0 Linux/PA-RISC boot
            f1 SpeedStor
            f2 DOS secondary
            f4 SpeedStor
            f8 EBBR protective
            fb VMware VMFS
            fc VMware VMKCORE
            fd Linux raid autodetect
            fe LANstep
            ff BBT
            """);

    private MbrTypes() {}

    /** Returns the name of a type, 0..255, or {@code unknown}. */
    static String nameOf(int type) {
        return NAMES.getOrDefault(type, UNKNOWN);
    }

    private static Map<Integer, String> parse(String lines) {
        Map<Integer, String> names = new HashMap<>();
        lines.lines().forEach(line -> {
            int blank = line.indexOf(' ');
            names.put(Integer.valueOf(line.substring(0, blank), 16), line.substring(blank + 1));
        });
        return Map.copyOf(names);
    }
}
