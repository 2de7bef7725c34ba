//go:build !unix

package witness

import (
	"errors"
	"os"
)

// lockFile refuses: without a lock two processes could cosign a fork.
func lockFile(*os.File) error {
	return errors.New("this system has no file lock that ends with its process")
}
