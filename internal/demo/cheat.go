package demo

import "context"

func (t *teller) cheat(context.Context) error { return nil }
