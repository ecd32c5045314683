// What a process gives up for good before it reads hostile bytes: files, the network, privileges, system calls.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tutela {

// Each of these takes effect for the whole process, or answers the error number that says why it did not; 0 is success.
// None can be undone. On systems other than Linux each answers ENOSYS.

// Parts from the namespaces that `flags` name (CLONE_NEW*).
int leave_namespaces(uint64_t flags);

// Makes an empty folder, that nothing can be written to, the root of all paths. Needs a mount namespace of its own.
int empty_root();

// Gives up every capability.
int drop_capabilities();

// Lets no program that is run give this process anything (PR_SET_NO_NEW_PRIVS).
int forbid_new_privileges();

// The version of Landlock that the kernel has; 0 without it.
int landlock_version();

// Forbids opening, making, changing, renaming and running every file, and TCP and signals to others where the kernel's
// Landlock knows them. Descriptors that are open stay as they are.
int restrict_files();

// Forbids every system call but those that decoding in memory needs. A refused one answers EPERM.
int filter_system_calls();

// Names and numbers of the system calls that remain, for documentation and tests.
std::vector<std::string> allowed_system_calls();

// Lets nobody read this process's memory or take a dump of it.
int forbid_dumps();

// Lets the end of the thread that started this process end it too. Forgotten when privileges change.
int end_with_parent();

// Forks a process that is a child of this one's parent, who alone can wait for it. Returns 0 in the child, its number
// here, or the error number negated. Only for a process of one thread; what runs in the child may only fork and wait,
// as the C library does not know that it is another process.
int fork_for_parent();

// Lets an alarm end the process, also where it is the first of its namespace, for which the default action is ignored.
int end_on_alarm();

}  // namespace tutela
