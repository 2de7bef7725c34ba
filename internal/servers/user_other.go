//go:build !unix

package servers

import "os/exec"

type account struct{}

func unprivileged(...string) *account { return nil }

func (*account) apply(*exec.Cmd) {}

func (*account) own(string) error { return nil }
