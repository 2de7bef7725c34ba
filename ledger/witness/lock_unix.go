//go:build unix

package witness

import (
	"os"
	"syscall"
)

// lockFile takes the directory for this process; the lock ends with the file.
func lockFile(f *os.File) error {
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}
