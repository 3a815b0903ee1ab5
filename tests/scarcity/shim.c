/* Preloaded by tests: a wall clock that can be set, and a file system that is slow.
 *
 * SHIM_SHIFT  a file of eight bytes: seconds to add to the wall clock, changed at any time
 * SHIM_SLOW   folder whose files are slow to open, flush and rename
 * SHIM_DELAY  microseconds each of these takes there
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t none = 0;
static volatile int64_t *shift = &none;
static const char *slow = NULL;
static useconds_t delay = 0;

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("SHIM_SHIFT");
    int file = path ? open(path, O_RDONLY) : -1;
    if (file >= 0) {
        void *mapped = mmap(NULL, 8, PROT_READ, MAP_SHARED, file, 0);
        if (mapped != MAP_FAILED) shift = mapped;
        close(file);
    }
    if (getenv("SHIM_DELAY")) {
        delay = (useconds_t)atoi(getenv("SHIM_DELAY"));
        slow = getenv("SHIM_SLOW");
    }
}

static void *real(const char *name) { return dlsym(RTLD_NEXT, name); }

int clock_gettime(clockid_t which, struct timespec *told) {
    static int (*next)(clockid_t, struct timespec *);
    if (!next) next = real("clock_gettime");
    int failed = next(which, told);
    if (!failed && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        told->tv_sec += *shift;
    return failed;
}

int gettimeofday(struct timeval *restrict told, void *restrict zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    told->tv_sec = now.tv_sec;
    told->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *told) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (told) *told = now.tv_sec;
    return now.tv_sec;
}

static void wait_for(const char *path) {
    if (slow && path && strncmp(path, slow, strlen(slow)) == 0) usleep(delay);
}

static void wait_for_file(int file) {
    char link[64], path[4096];
    if (!slow) return;
    snprintf(link, sizeof link, "/proc/self/fd/%d", file);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return;
    path[length] = 0;
    wait_for(path);
}

#define OPEN(name)                                                      \
    int name(const char *path, int flags, ...) {                        \
        static int (*next)(const char *, int, ...);                     \
        if (!next) next = real(#name);                                  \
        va_list more;                                                   \
        va_start(more, flags);                                          \
        int mode = (flags & (O_CREAT | O_TMPFILE)) ? va_arg(more, int) : 0; \
        va_end(more);                                                   \
        wait_for(path);                                                 \
        return next(path, flags, mode);                                 \
    }
OPEN(open)
OPEN(open64)

int fsync(int file) {
    static int (*next)(int);
    if (!next) next = real("fsync");
    wait_for_file(file);
    return next(file);
}

ssize_t write(int file, const void *bytes, size_t count) {
    static ssize_t (*next)(int, const void *, size_t);
    if (!next) next = real("write");
    wait_for_file(file);
    return next(file, bytes, count);
}

int rename(const char *from, const char *to) {
    static int (*next)(const char *, const char *);
    if (!next) next = real("rename");
    wait_for(to);
    return next(from, to);
}
