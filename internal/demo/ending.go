package demo

import (
	"context"
	"fmt"
	"path/filepath"
	"time"
)

// ending says where everything is and what to run next.
func (t *teller) ending() {
	out := t.dir.Out()
	t.Step("時間の内訳", "Where the time went")
	t.Times()
	t.Step("ご自分で確かめてください", "Check it yourself")
	t.Fact("報告書: %s", "Report: %s", filepath.Join(out, "report.html"))
	t.Fact("        %s", "        %s", filepath.Join(out, "report.json"))
	t.Fact("検証:   sukashi verify %s", "Verify: sukashi verify %s", filepath.Join(out, "report.json"))
	t.Fact("監査:   sukashi review audit %s", "Audit:  sukashi review audit %s", out)
	fmt.Fprintln(t.out)
}

// serve keeps the pages open until the context ends.
func (t *teller) serve(ctx context.Context) error {
	if err := t.mountPages(); err != nil {
		return err
	}
	t.Banner("サーバーは動いています: "+t.w.Ledger.PublicURL+"/  (Ctrl-C で終わります)",
		"The servers are running: "+t.w.Ledger.PublicURL+"/  (Ctrl-C ends them)")
	every := time.NewTicker(time.Second)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-every.C:
			if _, err := t.w.Publish(ctx); err != nil && ctx.Err() == nil {
				return err
			}
		}
	}
}
