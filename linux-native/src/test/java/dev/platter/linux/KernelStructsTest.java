package dev.platter.linux;

import static org.assertj.core.api.Assertions.assertThat;

import dev.platter.testkit.ReferenceTools;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The layouts that are written by hand here are those of the C compiler, on each processor. */
class KernelStructsTest {
    private static final long SUM = 2_152_929_510L;
    private static final String INCLUDES = """
            #define _GNU_SOURCE
            #include <stddef.h>
            #include <fcntl.h>
            #include <linux/stat.h>
            #include <linux/falloc.h>
            #include <linux/fs.h>
            #include <linux/blkpg.h>
            #include <linux/loop.h>
            #include <linux/fuse.h>
            """;

    /** What C calls it, and what is used here. */
    private static Map<String, Long> constants() {
        Map<String, Long> all = new LinkedHashMap<>();
        all.put("sizeof(struct loop_info64)", (long) LoopIoctls.INFO_BYTES);
        all.put("offsetof(struct loop_info64, lo_offset)", (long) LoopIoctls.LO_OFFSET);
        all.put("offsetof(struct loop_info64, lo_sizelimit)", (long) LoopIoctls.LO_SIZELIMIT);
        all.put("offsetof(struct loop_info64, lo_flags)", (long) LoopIoctls.LO_FLAGS);
        all.put("offsetof(struct loop_info64, lo_file_name)", (long) LoopIoctls.LO_FILE_NAME);
        all.put("LO_NAME_SIZE", (long) LoopIoctls.LO_NAME_SIZE);
        all.put("offsetof(struct loop_info64, lo_device)", (long) LoopIoctls.LO_DEVICE);
        all.put("offsetof(struct loop_info64, lo_inode)", (long) LoopIoctls.LO_INODE);
        all.put("sizeof(struct loop_config)", (long) LoopIoctls.CONFIG_BYTES);
        all.put("offsetof(struct loop_config, block_size)", (long) LoopIoctls.CONFIG_BLOCK_SIZE);
        all.put("offsetof(struct loop_config, info)", (long) LoopIoctls.CONFIG_INFO);
        all.put("LO_FLAGS_READ_ONLY", (long) LoopIoctls.LO_FLAGS_READ_ONLY);
        all.put("LO_FLAGS_AUTOCLEAR", (long) LoopIoctls.LO_FLAGS_AUTOCLEAR);
        all.put("LO_FLAGS_PARTSCAN", (long) LoopIoctls.LO_FLAGS_PARTSCAN);
        all.put("LO_FLAGS_DIRECT_IO", (long) LoopIoctls.LO_FLAGS_DIRECT_IO);
        all.put("LOOP_SET_FD", LoopIoctls.LOOP_SET_FD);
        all.put("LOOP_CLR_FD", LoopIoctls.LOOP_CLR_FD);
        all.put("LOOP_SET_STATUS64", LoopIoctls.LOOP_SET_STATUS64);
        all.put("LOOP_SET_DIRECT_IO", LoopIoctls.LOOP_SET_DIRECT_IO);
        all.put("LOOP_SET_BLOCK_SIZE", LoopIoctls.LOOP_SET_BLOCK_SIZE);
        all.put("LOOP_CONFIGURE", LoopIoctls.LOOP_CONFIGURE);
        all.put("LOOP_CTL_GET_FREE", LoopIoctls.LOOP_CTL_GET_FREE);
        all.put("BLKPG", BlockIoctls.BLKPG);
        all.put("BLKSSZGET", BlockIoctls.BLKSSZGET);
        all.put("BLKPBSZGET", BlockIoctls.BLKPBSZGET);
        all.put("BLKGETSIZE64", BlockIoctls.BLKGETSIZE64);
        all.put("BLKDISCARD", BlockIoctls.BLKDISCARD);
        all.put("BLKZEROOUT", BlockIoctls.BLKZEROOUT);
        all.put("BLKPG_ADD_PARTITION", (long) BlockIoctls.BLKPG_ADD_PARTITION);
        all.put("BLKPG_DEL_PARTITION", (long) BlockIoctls.BLKPG_DEL_PARTITION);
        all.put("sizeof(struct blkpg_ioctl_arg)", (long) BlockIoctls.BLKPG_BYTES);
        all.put("offsetof(struct blkpg_ioctl_arg, datalen)", (long) BlockIoctls.BLKPG_DATALEN);
        all.put("offsetof(struct blkpg_ioctl_arg, data)", (long) BlockIoctls.BLKPG_DATA);
        all.put("sizeof(struct blkpg_partition)", (long) BlockIoctls.PARTITION_BYTES);
        all.put("offsetof(struct blkpg_partition, length)", (long) BlockIoctls.PARTITION_LENGTH);
        all.put("offsetof(struct blkpg_partition, pno)", (long) BlockIoctls.PARTITION_NUMBER);
        all.put("sizeof(struct flock)", (long) WriterLocks.FLOCK_BYTES);
        all.put("offsetof(struct flock, l_start)", (long) WriterLocks.L_START);
        all.put("offsetof(struct flock, l_len)", (long) WriterLocks.L_LEN);
        all.put("sizeof(struct statx)", (long) LinuxFileFacts.STATX_BYTES);
        all.put("offsetof(struct statx, stx_blocks)", (long) LinuxFileFacts.STX_BLOCKS);
        all.put("FALLOC_FL_KEEP_SIZE", (long) Fallocate.KEEP_SIZE);
        all.put("FALLOC_FL_PUNCH_HOLE", (long) Fallocate.PUNCH_HOLE);
        all.put("FALLOC_FL_ZERO_RANGE", (long) Fallocate.ZERO_RANGE);
        all.put("O_CLOEXEC", (long) LibC.O_CLOEXEC);
        all.put("O_EXCL", (long) LibC.O_EXCL);
        all.put("O_NONBLOCK", (long) LibC.O_NONBLOCK);
        all.put("sizeof(struct fuse_in_header)", (long) FuseProtocol.IN_HEADER);
        all.put("offsetof(struct fuse_in_header, opcode)", (long) FuseProtocol.IN_OPCODE);
        all.put("offsetof(struct fuse_in_header, unique)", (long) FuseProtocol.IN_UNIQUE);
        all.put("sizeof(struct fuse_out_header)", (long) FuseProtocol.OUT_HEADER);
        all.put("offsetof(struct fuse_out_header, error)", (long) FuseProtocol.OUT_ERROR);
        all.put("offsetof(struct fuse_out_header, unique)", (long) FuseProtocol.OUT_UNIQUE);
        all.put("sizeof(struct fuse_init_out)", (long) FuseProtocol.INIT_OUT);
        all.put("sizeof(struct fuse_attr_out)", (long) FuseProtocol.ATTR_OUT);
        all.put("sizeof(struct fuse_open_out)", (long) FuseProtocol.OPEN_OUT);
        all.put("sizeof(struct fuse_write_out)", (long) FuseProtocol.WRITE_OUT);
        all.put("sizeof(struct fuse_statfs_out)", (long) FuseProtocol.STATFS_OUT);
        all.put("40 + sizeof(struct fuse_write_in)", (long) FuseProtocol.WRITE_DATA);
        all.put("40 + offsetof(struct fuse_write_in, offset)", (long) FuseProtocol.IO_OFFSET);
        all.put("40 + offsetof(struct fuse_read_in, offset)", (long) FuseProtocol.IO_OFFSET);
        all.put("40 + offsetof(struct fuse_write_in, size)", (long) FuseProtocol.IO_SIZE);
        all.put("40 + offsetof(struct fuse_read_in, size)", (long) FuseProtocol.IO_SIZE);
        all.put("40 + offsetof(struct fuse_fallocate_in, offset)", (long) FuseProtocol.FALLOCATE_OFFSET);
        all.put("40 + offsetof(struct fuse_fallocate_in, length)", (long) FuseProtocol.FALLOCATE_LENGTH);
        all.put("40 + offsetof(struct fuse_fallocate_in, mode)", (long) FuseProtocol.FALLOCATE_MODE);
        all.put("40 + offsetof(struct fuse_lseek_in, offset)", (long) FuseProtocol.LSEEK_OFFSET);
        all.put("40 + offsetof(struct fuse_lseek_in, whence)", (long) FuseProtocol.LSEEK_WHENCE);
        all.put("40 + offsetof(struct fuse_setattr_in, valid)", (long) FuseProtocol.SETATTR_VALID);
        all.put("40 + offsetof(struct fuse_setattr_in, size)", (long) FuseProtocol.SETATTR_SIZE);
        all.put("40 + offsetof(struct fuse_init_in, flags)", (long) FuseProtocol.INIT_FLAGS);
        all.put("offsetof(struct fuse_attr_out, attr.ino)", (long) FuseProtocol.ATTR_INO);
        all.put("offsetof(struct fuse_attr_out, attr.size)", (long) FuseProtocol.ATTR_SIZE);
        all.put("offsetof(struct fuse_attr_out, attr.blocks)", (long) FuseProtocol.ATTR_BLOCKS);
        all.put("offsetof(struct fuse_attr_out, attr.mode)", (long) FuseProtocol.ATTR_MODE);
        all.put("offsetof(struct fuse_attr_out, attr.nlink)", (long) FuseProtocol.ATTR_NLINK);
        all.put("offsetof(struct fuse_attr_out, attr.blksize)", (long) FuseProtocol.ATTR_BLKSIZE);
        all.put("offsetof(struct fuse_init_out, max_readahead)", (long) FuseProtocol.INIT_OUT_READAHEAD);
        all.put("offsetof(struct fuse_init_out, flags)", (long) FuseProtocol.INIT_OUT_FLAGS);
        all.put("offsetof(struct fuse_init_out, max_background)", (long) FuseProtocol.INIT_OUT_BACKGROUND);
        all.put("offsetof(struct fuse_init_out, congestion_threshold)", (long) FuseProtocol.INIT_OUT_CONGESTION);
        all.put("offsetof(struct fuse_init_out, max_write)", (long) FuseProtocol.INIT_OUT_WRITE);
        all.put("offsetof(struct fuse_init_out, time_gran)", (long) FuseProtocol.INIT_OUT_TIME);
        all.put("offsetof(struct fuse_init_out, max_pages)", (long) FuseProtocol.INIT_OUT_PAGES);
        all.put("offsetof(struct fuse_open_out, open_flags)", (long) FuseProtocol.OPEN_FLAGS);
        all.put("FUSE_INIT", (long) FuseProtocol.INIT);
        all.put("FUSE_READ", (long) FuseProtocol.READ);
        all.put("FUSE_WRITE", (long) FuseProtocol.WRITE);
        all.put("FUSE_FSYNC", (long) FuseProtocol.FSYNC);
        all.put("FUSE_FALLOCATE", (long) FuseProtocol.FALLOCATE);
        all.put("FUSE_LSEEK", (long) FuseProtocol.LSEEK);
        all.put("FUSE_GETATTR", (long) FuseProtocol.GETATTR);
        all.put("FUSE_SETATTR", (long) FuseProtocol.SETATTR);
        all.put("FUSE_OPEN", (long) FuseProtocol.OPEN);
        all.put("FUSE_STATFS", (long) FuseProtocol.STATFS);
        all.put("FUSE_RELEASE", (long) FuseProtocol.RELEASE);
        all.put("FUSE_FLUSH", (long) FuseProtocol.FLUSH);
        all.put("FUSE_DESTROY", (long) FuseProtocol.DESTROY);
        all.put("FUSE_INTERRUPT", (long) FuseProtocol.INTERRUPT);
        all.put("FUSE_FORGET", (long) FuseProtocol.FORGET);
        all.put("FUSE_BATCH_FORGET", (long) FuseProtocol.BATCH_FORGET);
        all.put("FOPEN_DIRECT_IO", (long) FuseProtocol.FOPEN_DIRECT_IO);
        all.put("FATTR_SIZE", (long) FuseProtocol.FATTR_SIZE);
        all.put("FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES", (long)
                (FuseProtocol.ASYNC_READ | FuseProtocol.BIG_WRITES | FuseProtocol.ASYNC_DIO | FuseProtocol.MAX_PAGES));
        return all;
    }

    @Test
    void layoutsAreThoseThatWereLookedUp() {
        assertThat(constants().values().stream().mapToLong(Long::longValue).sum())
                .as("sum of all, so that no number changes unnoticed where there is no compiler")
                .isEqualTo(SUM);
        assertThat(List.of(
                        LoopIoctls.INFO_BYTES,
                        LoopIoctls.CONFIG_BYTES,
                        BlockIoctls.BLKPG_BYTES,
                        BlockIoctls.PARTITION_BYTES,
                        WriterLocks.FLOCK_BYTES,
                        LinuxFileFacts.STATX_BYTES,
                        FuseProtocol.INIT_OUT,
                        FuseProtocol.ATTR_OUT))
                .containsExactly(232, 304, 24, 152, 32, 256, 64, 104);
    }

    @ParameterizedTest
    @ValueSource(strings = {"cc", "aarch64-linux-gnu-gcc"})
    void compilerAgrees(String compiler, @TempDir Path folder) throws IOException {
        ReferenceTools.assumeTool(compiler);
        List<String> lines = new ArrayList<>(List.of(INCLUDES));
        constants()
                .forEach((text, number) -> lines.add("_Static_assert((unsigned long)(" + text + ") == " + number
                        + "UL, \"" + text + " is not " + number + "\");"));
        Path source = Files.write(folder.resolve("layout.c"), lines);

        ReferenceTools.runIn(folder, compiler, "-fsyntax-only", source.toString())
                .assertSuccess();
    }
}
