#include "base/memory.h"

#include <link.h>
#include <malloc.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

enum { HEAPS = 2, MMAP_FROM_BYTES = 64 * 1024 };

void memory_keep_private(void)
{
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}); /* lower is always allowed */
}

void memory_prepare(void)
{
    mallopt(M_ARENA_MAX, HEAPS);
    mallopt(M_MMAP_THRESHOLD, MMAP_FROM_BYTES); /* large buffers go back to the system when they are freed */
}

/* Segments that are never written hold nothing but what the file holds: dropping their pages is safe at any time. */
static int drop_clean_segments(struct dl_phdr_info *library, size_t size, void *context)
{
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

    (void)size;
    (void)context;
    for (int i = 0; i < library->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &library->dlpi_phdr[i];
        uintptr_t start = (library->dlpi_addr + segment->p_vaddr) & ~(page - 1);
        uintptr_t end = (library->dlpi_addr + segment->p_vaddr + segment->p_memsz + page - 1) & ~(page - 1);

        if (segment->p_type != PT_LOAD || segment->p_flags & PF_W)
            continue;
        madvise((void *)start, end - start, MADV_RANDOM); /* single pages come back, not their neighbours */
        madvise((void *)start, end - start, MADV_DONTNEED);
    }
    return 0;
}

void memory_settle(void)
{
    malloc_trim(0);
    dl_iterate_phdr(drop_clean_segments, NULL);
}
