// Confinement by the kernel's own means, without a library: credentials(7), landlock(7), seccomp(2), namespaces(7).
#include "confinement.hpp"

#include <cerrno>

#ifdef __linux__

#include <fcntl.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace tutela {

namespace {

// --- Landlock, whose header is younger than the systems that wheels are built on

constexpr long kCreateRuleset = 444, kRestrictSelf = 446;  // the same on every architecture
constexpr uint32_t kAskVersion = 1;

struct Ruleset {
    uint64_t files;
    uint64_t network;
    uint64_t scoped;
};

Ruleset everything(int version) {
    Ruleset rights{(1ull << 13) - 1, 0, 0};           // execute … make_sym
    if (version >= 2) rights.files |= 1ull << 13;     // refer: rename and link across folders
    if (version >= 3) rights.files |= 1ull << 14;     // truncate
    if (version >= 5) rights.files |= 1ull << 15;     // ioctl on devices
    if (version >= 4) rights.network = 0b11;          // bind and connect of TCP
    if (version >= 6) rights.scoped = 0b11;           // abstract Unix sockets, signals
    return rights;
}

// --- seccomp

#if defined(__x86_64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArchitecture = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArchitecture = 0;
#endif

struct Call {
    const char* name;
    long number;
};

#define CALL(name) {#name, __NR_##name}
// Memory, time, the socket to the parent, mapping the descriptors that it sends, and the end. What comes most often
// stands first. None opens, makes, sends to a new address, starts anything, or names another process.
constexpr Call kAllowed[] = {
    CALL(futex), CALL(munmap), CALL(brk), CALL(mremap), CALL(read), CALL(recvmsg), CALL(recvfrom),
    CALL(sendto), CALL(write), CALL(close), CALL(clock_gettime), CALL(gettimeofday), CALL(getrandom),
    CALL(clock_nanosleep), CALL(nanosleep), CALL(clock_getres), CALL(rt_sigaction), CALL(rt_sigprocmask),
    CALL(rt_sigreturn), CALL(sigaltstack), CALL(setitimer), CALL(fstat), CALL(lseek), CALL(readv), CALL(writev),
    CALL(pread64), CALL(sched_yield), CALL(sched_getaffinity), CALL(getrusage), CALL(times), CALL(sysinfo),
    CALL(getpid), CALL(gettid), CALL(getuid), CALL(geteuid), CALL(getgid), CALL(getegid), CALL(set_robust_list),
    CALL(getcwd), CALL(restart_syscall), CALL(exit), CALL(exit_group), CALL(ppoll),
#ifdef __NR_rseq
    CALL(rseq),
#endif
#ifdef __NR_alarm
    CALL(alarm),
#endif
#ifdef __NR_poll
    CALL(poll),
#endif
#ifdef __NR_time
    CALL(time),
#endif
};
// Those that are allowed with some arguments only, as `Filter::build` says.
constexpr Call kAllowedInPart[] = {
    CALL(mmap), CALL(mprotect), CALL(madvise), CALL(clone), CALL(fcntl), CALL(newfstatat), CALL(prlimit64), CALL(tgkill),
};
#undef CALL

constexpr uint32_t kRefused = SECCOMP_RET_ERRNO | EPERM;
constexpr uint32_t kX32 = 0x40000000;

constexpr uint32_t kThread = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM;
constexpr uint32_t kKindOfClone = kThread | CLONE_VFORK | CLONE_PARENT | CLONE_PTRACE | CLONE_NEWNS | CLONE_NEWCGROUP |
                                  CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET | CLONE_IO;

class Filter {
   public:
    std::vector<sock_filter> build(pid_t own) {
        load(offsetof(seccomp_data, arch));
        when_not_equal_return(kArchitecture, SECCOMP_RET_KILL_PROCESS);
        load(offsetof(seccomp_data, nr));
#ifdef __x86_64__
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, kX32, 0, 1));
        give(SECCOMP_RET_KILL_PROCESS);
#endif
        // No memory becomes code: what was loaded is all that runs.
        without_bits(__NR_mmap, {{2, PROT_EXEC}, {3, MAP_HUGETLB | MAP_LOCKED}});  // nor is it taken from others
        without_bits(__NR_mprotect, {{2, PROT_EXEC}});
        // What allocators ask. Merging pages with those of other processes would tell what is in theirs.
        one_of(__NR_madvise, 2, {MADV_DONTNEED, MADV_FREE, MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL,
                                   MADV_WILLNEED, MADV_HUGEPAGE, MADV_NOHUGEPAGE});
        for (const Call& call : kAllowed) when_equal_return(static_cast<uint32_t>(call.number), SECCOMP_RET_ALLOW);
        one_of(__NR_fcntl, 1, {F_DUPFD_CLOEXEC, F_GETFD, F_GETFL});
        one_of(__NR_newfstatat, 3, {AT_EMPTY_PATH});  // how the C library asks about a descriptor
        one_of(__NR_tgkill, 0, {static_cast<uint32_t>(own)});  // abort()
        reads_only(__NR_prlimit64, 2);
        // Threads of this process, which a decoder of HEVC and readers of archives start; no process, no namespace.
        masked(__NR_clone, 0, kKindOfClone, kThread);
        // ENOSYS, so that the C library goes on to what is refused like everything else.
        when_equal_return(__NR_clone3, SECCOMP_RET_ERRNO | ENOSYS);
        give(kRefused);
        return std::move(code_);
    }

   private:
    std::vector<sock_filter> code_;

    static uint32_t low(int argument) { return offsetof(seccomp_data, args) + 8 * static_cast<uint32_t>(argument); }

    void load(uint32_t offset) { code_.push_back(BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)); }
    void give(uint32_t answer) { code_.push_back(BPF_STMT(BPF_RET | BPF_K, answer)); }
    void when_equal_return(uint32_t value, uint32_t answer) {
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, 1));
        give(answer);
    }
    void when_not_equal_return(uint32_t value, uint32_t answer) {
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 1, 0));
        give(answer);
    }
    // Each of the following decides about one call, and is passed over by all others. Arguments are compared by their
    // low halves: the kernel itself takes these as int.
    void only_for(uint32_t number, size_t instructions) {
        code_.push_back(BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, static_cast<uint8_t>(instructions)));
    }
    struct Bits {
        int argument;
        uint32_t bits;
    };
    void without_bits(uint32_t number, const std::vector<Bits>& forbidden) {
        only_for(number, 3 * forbidden.size() + 1);
        for (const Bits& each : forbidden) {
            load(low(each.argument));
            code_.push_back(BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, each.bits, 0, 1));
            give(kRefused);
        }
        give(SECCOMP_RET_ALLOW);
    }
    void one_of(uint32_t number, int argument, const std::vector<uint32_t>& values) {
        only_for(number, 2 + 2 * values.size());
        load(low(argument));
        for (uint32_t value : values) when_equal_return(value, SECCOMP_RET_ALLOW);
        give(kRefused);
    }
    void masked(uint32_t number, int argument, uint32_t mask, uint32_t value) {
        only_for(number, 5);
        load(low(argument));
        code_.push_back(BPF_STMT(BPF_ALU | BPF_AND | BPF_K, mask));
        when_equal_return(value, SECCOMP_RET_ALLOW);
        give(kRefused);
    }
    // A pointer to a new value must be null, in both halves.
    void reads_only(uint32_t number, int argument) {
        only_for(number, 7);
        load(low(argument));
        when_not_equal_return(0, kRefused);
        load(low(argument) + 4);
        when_equal_return(0, SECCOMP_RET_ALLOW);
        give(kRefused);
    }
};

int answer(long result) { return result == 0 ? 0 : errno; }

void on_alarm(int) { _exit(128 + SIGALRM); }

}  // namespace

int leave_namespaces(uint64_t flags) { return answer(unshare(static_cast<int>(flags))); }

int empty_root() {
    if (mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) return errno;
    constexpr unsigned long kFlags = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    const char* place = nullptr;
    for (const char* folder : {"/tmp", "/proc", "/usr"}) {
        if (mount("none", folder, "tmpfs", kFlags, "size=4k,nr_inodes=1,mode=555") == 0) {
            place = folder;
            break;
        }
    }
    if (place == nullptr) return errno;
    // Old and new root in one place: what is then on top, the old one, is unmounted (pivot_root(2), NOTES).
    if (chdir(place) != 0 || syscall(__NR_pivot_root, ".", ".") != 0) return errno;
    if (umount2(".", MNT_DETACH) != 0 || chdir("/") != 0) return errno;
    return answer(mount(nullptr, "/", nullptr, MS_REMOUNT | MS_BIND | MS_RDONLY | kFlags, nullptr));
}

int drop_capabilities() {
    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    for (unsigned long capability = 0; capability < 64; ++capability) {
        if (prctl(PR_CAPBSET_DROP, capability, 0, 0, 0) != 0) break;  // refused to who has none to drop
    }
    __user_cap_header_struct header{_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct none[2]{};
    return answer(syscall(__NR_capset, &header, none));
}

int forbid_new_privileges() { return answer(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)); }

int landlock_version() {
    const long version = syscall(kCreateRuleset, nullptr, 0, kAskVersion);
    return version < 0 ? 0 : static_cast<int>(version);
}

int restrict_files() {
    const int version = landlock_version();
    if (version == 0) return ENOSYS;
    const Ruleset rights = everything(version);
    const long ruleset = syscall(kCreateRuleset, &rights, sizeof rights, 0);
    if (ruleset < 0) return errno;
    const int result = answer(syscall(kRestrictSelf, ruleset, 0));
    close(static_cast<int>(ruleset));
    return result;
}

int filter_system_calls() {
    if (kArchitecture == 0) return ENOSYS;
    std::vector<sock_filter> code = Filter().build(getpid());
    sock_fprog program{static_cast<unsigned short>(code.size()), code.data()};
    // Every thread that there is, so that none is forgotten.
    return answer(syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program));
}

std::vector<std::string> allowed_system_calls() {
    std::vector<std::string> names;
    for (const Call& call : kAllowed) names.emplace_back(call.name);
    for (const Call& call : kAllowedInPart) names.emplace_back(call.name);
    return names;
}

int forbid_dumps() { return answer(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0)); }

int end_with_parent() { return answer(prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)); }

int fork_for_parent() {
    // Neither vfork nor fork of the C library can ask for it. All arguments but the flags are 0: their order is one's own.
    const long child = syscall(__NR_clone, CLONE_PARENT | SIGCHLD, 0, 0, 0, 0);
    return static_cast<int>(child < 0 ? -errno : child);
}

int end_on_alarm() {
    struct sigaction action{};
    action.sa_handler = on_alarm;
    return answer(sigaction(SIGALRM, &action, nullptr));
}

}  // namespace tutela

#else

namespace tutela {

int leave_namespaces(uint64_t) { return ENOSYS; }
int empty_root() { return ENOSYS; }
int drop_capabilities() { return ENOSYS; }
int forbid_new_privileges() { return ENOSYS; }
int landlock_version() { return 0; }
int restrict_files() { return ENOSYS; }
int filter_system_calls() { return ENOSYS; }
std::vector<std::string> allowed_system_calls() { return {}; }
int forbid_dumps() { return ENOSYS; }
int end_with_parent() { return ENOSYS; }
int fork_for_parent() { return -ENOSYS; }
int end_on_alarm() { return ENOSYS; }

}  // namespace tutela

#endif
