// What GCC 11 and later call in libstdc++ and glibc that older ones do not have, so that a trainer built on a new
// machine runs with those of 2018 (manylinux_2_28, the floor of torch itself). Built into wheels alone: build.rs.

#include <exception>
#include <new>
#include <sstream>
#include <string>
#include <string_view>

// GLIBCXX_3.4.26: the constructor without arguments, with which all members come along, and what these call.
template class std::basic_ostringstream<char>;
std::string_view view(const std::string *text) noexcept asm(
    "_ZNKSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEcvSt17basic_string_viewIcS2_EEv");
std::string_view view(const std::string *text) noexcept { return {text->data(), text->size()}; }

// glibc 2.32: whether counts of owners can do without atomic instructions; 0 is always safe.
extern "C" {
extern char __libc_single_threaded;
char __libc_single_threaded = 0;
}

namespace std {
// GLIBCXX_3.4.29.
void __throw_bad_array_new_length() { throw bad_array_new_length(); }
} // namespace std

// CXXABI_1.3.13: counting the owners of an exception, which the older copy constructor and destructor
// (CXXABI_1.3.3) do as well.
extern "C" {
void copy(void *into, const void *from) noexcept asm("_ZNSt15__exception_ptr13exception_ptrC1ERKS0_");
void destroy(void *owner) noexcept asm("_ZNSt15__exception_ptr13exception_ptrD1Ev");
void add_owner(void *owner) noexcept asm("_ZNSt15__exception_ptr13exception_ptr9_M_addrefEv");
void remove_owner(void *owner) noexcept asm("_ZNSt15__exception_ptr13exception_ptr10_M_releaseEv");

void add_owner(void *owner) noexcept {
  // The copy is never destroyed: it is the owner that is added.
  void *copied;
  copy(&copied, owner);
}

void remove_owner(void *owner) noexcept {
  destroy(owner);
  *static_cast<void **>(owner) = nullptr;
}
}
