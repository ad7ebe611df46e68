// libaudit, for its tables of names. Requests to the kernel are LinuxKernel's own: the library takes the first
// acknowledgement on a socket for its own and writes to standard error where something fails.
#include <libaudit.h>
