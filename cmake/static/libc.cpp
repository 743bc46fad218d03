// SPDX-License-Identifier: GPL-2.0-only
// Functions of libc that load shared objects of the machine, which were made for the glibc there
// and not for the one in a static program. Look-ups of users and groups (NSS) read the files here;
// what libraries have for purposes that pobpf does not have finds nothing.
#include <grp.h>
#include <netdb.h>
#include <pwd.h>

#include <cstdio>
#include <cstring>

namespace {

constexpr const char* kUsers = "/etc/passwd";
constexpr const char* kGroups = "/etc/group";

/// The file that getpwent() reads.
std::FILE* users = nullptr;

/// Lines that begin so are for NIS: they name nobody of this file.
bool is_plain(const char* name) { return *name != '+' && *name != '-'; }

passwd* next_user(std::FILE* file) {
  passwd* user = fgetpwent(file);
  while (user != nullptr && !is_plain(user->pw_name)) user = fgetpwent(file);
  return user;
}

group* next_group(std::FILE* file) {
  group* found = fgetgrent(file);
  while (found != nullptr && !is_plain(found->gr_name)) found = fgetgrent(file);
  return found;
}

/// The first entry of a file for which `is_it` holds, or nullptr. It lives until the next call.
template <class Entry, class Predicate>
Entry* find_entry(const char* path, Entry* (*next)(std::FILE*), Predicate is_it) {
  std::FILE* const file = std::fopen(path, "re");
  if (file == nullptr) return nullptr;
  Entry* entry = next(file);
  while (entry != nullptr && !is_it(*entry)) entry = next(file);
  std::fclose(file);
  return entry;
}

}  // namespace

extern "C" {

passwd* getpwnam(const char* name) {
  return find_entry(kUsers, next_user,
                    [=](const passwd& user) { return std::strcmp(user.pw_name, name) == 0; });
}

passwd* getpwuid(uid_t uid) {
  return find_entry(kUsers, next_user, [=](const passwd& user) { return user.pw_uid == uid; });
}

group* getgrnam(const char* name) {
  return find_entry(kGroups, next_group,
                    [=](const group& found) { return std::strcmp(found.gr_name, name) == 0; });
}

group* getgrgid(gid_t gid) {
  return find_entry(kGroups, next_group, [=](const group& found) { return found.gr_gid == gid; });
}

void endpwent() {
  if (users != nullptr) std::fclose(users);
  users = nullptr;
}

void setpwent() {
  endpwent();
  users = std::fopen(kUsers, "re");
}

passwd* getpwent() { return users != nullptr ? next_user(users) : nullptr; }

// libnuma's, for names of networks
int getaddrinfo(const char* /*node*/, const char* /*service*/, const addrinfo* /*hints*/,
                addrinfo** /*found*/) {
  return EAI_FAIL;
}
void freeaddrinfo(addrinfo* /*found*/) noexcept {}

// SQLite's, for extensions; --wrap, as libc.a has a dlopen() for itself
void* __wrap_dlopen(const char* /*file*/, int /*mode*/) { return nullptr; }

}  // extern "C"
