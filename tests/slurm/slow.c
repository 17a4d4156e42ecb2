/* Makes the files of a store slow, as over NFS: every call that a server would answer takes a while, and what
 * another process has made is seen only some seconds later. To be preloaded. */
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define ANSWER 10000000L /* nanoseconds */
#define UNSEEN 3         /* seconds */

static const char *own[65536]; /* inodes that this process made, as a small hash table of numbers */

static int is_own(unsigned long inode) { return own[inode % 65536] == (const char *)inode; }

static void note(int file) {
    struct stat found;
    if (file >= 0 && fstat(file, &found) == 0) own[found.st_ino % 65536] = (const char *)found.st_ino;
}

static int in_store(const char *path) { return path && strstr(path, ".farcast/") != 0; }

static int is_in_store(int folder) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", folder);
    ssize_t length = readlink(link, path, sizeof path - 2);
    if (length < 0) return 0;
    memcpy(path + length, "/", 2);
    return in_store(path);
}

static void answer(void) {
    struct timespec pause = {0, ANSWER};
    nanosleep(&pause, 0);
}

typedef int statx_type(int, const char *, int, unsigned, struct statx *);

static statx_type *real_statx(void) {
    static statx_type *real;
    if (!real) real = (statx_type *)dlsym(RTLD_NEXT, "statx");
    return real;
}

static int is_unseen(int folder, const char *path, int flags) {
    struct statx found;
    if (real_statx()(folder, path, flags, STATX_BTIME | STATX_INO | STATX_TYPE, &found) != 0) return 0;
    if (!(found.stx_mask & STATX_BTIME) || S_ISDIR(found.stx_mode) || is_own(found.stx_ino)) return 0;
    return time(0) - found.stx_btime.tv_sec < UNSEEN;
}

static int opened(const char *name, int folder, const char *path, int flags, mode_t mode) {
    int (*real)(int, const char *, int, ...) = (int (*)(int, const char *, int, ...))dlsym(RTLD_NEXT, name);
    if (!in_store(path)) return real(folder, path, flags, mode);
    answer();
    if (!(flags & O_CREAT) && is_unseen(folder, path, 0)) { errno = ENOENT; return -1; }
    int file = real(folder, path, flags, mode);
    if (flags & O_CREAT) note(file);
    return file;
}

#define MODE mode_t mode = 0; if (flags & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }
int open(const char *path, int flags, ...) { MODE return opened("openat", AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE return opened("openat64", AT_FDCWD, path, flags, mode); }
int openat(int folder, const char *path, int flags, ...) { MODE return opened("openat", folder, path, flags, mode); }
int openat64(int folder, const char *path, int flags, ...) { MODE return opened("openat64", folder, path, flags, mode); }

int statx(int folder, const char *path, int flags, unsigned mask, struct statx *found) {
    if (in_store(path)) {
        answer();
        if (is_unseen(folder, path, flags)) { errno = ENOENT; return -1; }
    }
    return real_statx()(folder, path, flags, mask, found);
}

struct dirent64 *readdir64(DIR *folder) {
    struct dirent64 *(*real)(DIR *) = (struct dirent64 *(*)(DIR *))dlsym(RTLD_NEXT, "readdir64");
    struct dirent64 *entry;
    int is_slow = is_in_store(dirfd(folder));
    while ((entry = real(folder)) && is_slow && is_unseen(dirfd(folder), entry->d_name, AT_SYMLINK_NOFOLLOW)) {}
    return entry;
}

int rename(const char *from, const char *to) {
    int (*real)(const char *, const char *) = (int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename");
    if (in_store(to)) answer();
    return real(from, to);
}

int fsync(int file) {
    int (*real)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    answer();
    return real(file);
}
