package main

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/juki"
	"github.com/sukashi-project/sukashi/juki/match"
)

// newLink looks into the outbox of the register's end of the link.
func (a *app) newLink(with withOffice) *cobra.Command {
	cmd := &cobra.Command{Use: "link", Short: "認証局側への連携の状態を見る / look at the link to the CA side"}
	cmd.AddCommand(a.linkStatus(with), a.linkList(with), a.linkDays(with), a.linkSend(with))
	return cmd
}

// linkState is the outbox in figures.
type linkState struct {
	Waiting   uint64       `json:"waiting"`          // due, not in the ledger yet
	Unsent    uint64       `json:"unsent"`           // in the ledger, not answered yet
	Delivered uint64       `json:"delivered"`        // taken by the CA side
	Rejected  uint64       `json:"rejected"`         // refused by the CA side
	Stopped   uint64       `json:"stopped"`          // refused by the sender's own rules
	Withdrawn uint64       `json:"withdrawn"`        // the certificate was gone before
	NextSeq   uint64       `json:"nextSeq"`          // number of the next notice
	Oldest    *waitingSeen `json:"oldest,omitempty"` // of what is waiting or unsent
	Unmatched uint64       `json:"unmatched"`        // changes that were not matched yet
	Holders   uint64       `json:"holders"`          // certificates in force
	Lists     uint64       `json:"lists"`            // daily lists taken in
	LastDay   string       `json:"lastDay,omitempty"`
	OpenCases uint64       `json:"openCases"`
}

type waitingSeen struct {
	Notice uint64    `json:"notice"`
	Since  time.Time `json:"since"`
}

func (a *app) linkStatus(with withOffice) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "status", Short: "送信待ち・送信済みの件数 / figures of the outbox", Args: cobra.NoArgs,
		RunE: with(func(o *juki.Office, cmd *cobra.Command, _ []string) error {
			s, err := stateOf(o)
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(w, s)
			}
			fmt.Fprintf(w, a.text("ログへの記録待ち %d 件、送信待ち %d 件(次の通知番号 %d)\n", "%d wait for the log, %d wait to be sent (the next notice is %d)\n"), s.Waiting, s.Unsent, s.NextSeq)
			if s.Oldest != nil {
				fmt.Fprintf(w, a.text("  最も古いもの: 通知 %d、%s から\n", "  the oldest: notice %d, since %s\n"), s.Oldest.Notice, s.Oldest.Since.Format(time.RFC3339))
			}
			fmt.Fprintf(w, a.text("認証局側が受け取った %d 件、拒否した %d 件、送信前に止めた %d 件、取り下げた %d 件\n", "the CA side took %d and refused %d; %d were stopped before sending, %d withdrawn\n"), s.Delivered, s.Rejected, s.Stopped, s.Withdrawn)
			fmt.Fprintf(w, a.text("有効な電子証明書 %d 件、受け取った一覧 %d 件(最後 %s)\n", "%d certificates in force, %d daily lists (the last of %s)\n"), s.Holders, s.Lists, s.LastDay)
			if s.Unmatched > 0 {
				fmt.Fprintf(w, a.text("まだ突合していない異動 %d 件\n", "%d changes are not matched yet\n"), s.Unmatched)
			}
			fmt.Fprintf(w, a.text("担当者の確認待ち %d 件\n", "%d cases wait for a person\n"), s.OpenCases)
			return nil
		})}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return cmd
}

func stateOf(o *juki.Office) (linkState, error) {
	c, err := o.Matching.Counts()
	if err != nil {
		return linkState{}, err
	}
	n := c.Notices
	s := linkState{Waiting: n[match.Pending] + n[match.Prepared], Unsent: n[match.Logged], Delivered: n[match.Delivered],
		Rejected: n[match.Rejected], Stopped: n[match.Stopped], Withdrawn: n[match.Withdrawn],
		Unmatched: o.Register.Size() - o.Matching.Cursor(), Holders: c.Holders, Lists: c.Lists, OpenCases: c.CasesOpen}
	if s.NextSeq, err = o.Matching.NextSeq(); err != nil {
		return s, err
	}
	ls, err := o.Matching.Lists()
	if len(ls) > 0 {
		s.LastDay = ls[len(ls)-1].Day
	}
	if err != nil {
		return s, err
	}
	err = o.Matching.Intents(func(i match.Intent) error {
		if waits(i) && s.Oldest == nil {
			s.Oldest = &waitingSeen{Notice: i.ID, Since: i.Made.Std()}
		}
		return nil
	})
	return s, err
}

func waits(i match.Intent) bool {
	return i.State == match.Pending || i.State == match.Prepared || i.State == match.Logged
}

// noticeLine is one notice of the outbox. It names a certificate, no person.
type noticeLine struct {
	ID      uint64      `json:"id"`
	State   match.State `json:"state"`
	Ordinal uint64      `json:"ordinal"`
	Made    time.Time   `json:"made"`
	Seq     *uint64     `json:"seq,omitempty"`
	Index   *uint64     `json:"index,omitempty"` // of notice.sent in the ledger
	Codes   []string    `json:"codes,omitempty"`
}

func (a *app) linkList(with withOffice) *cobra.Command {
	var all, asJSON bool
	cmd := &cobra.Command{Use: "list", Short: "送信待ちの通知の一覧 / list the notices that wait", Args: cobra.NoArgs,
		RunE: with(func(o *juki.Office, cmd *cobra.Command, _ []string) error {
			lines := []noticeLine{}
			err := o.Matching.Intents(func(i match.Intent) error {
				if all || waits(i) {
					lines = append(lines, noticeLine{i.ID, i.State, i.Ordinal, i.Made.Std(), i.Seq, i.Index, i.Codes})
				}
				return nil
			})
			if err != nil {
				return err
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(w, lines)
			}
			for _, l := range lines {
				fmt.Fprintf(w, a.text("%d  %s  電子証明書 %d  %s", "%d  %s  certificate %d  %s"), l.ID, a.noticeState(l.State), l.Ordinal, l.Made.Format(time.RFC3339))
				if l.Index != nil {
					fmt.Fprintf(w, a.text("  通知番号 %d、ログの記録 %d", "  notice number %d, log entry %d"), *l.Seq, *l.Index)
				}
				for _, c := range l.Codes {
					fmt.Fprintf(w, "  %s", c)
				}
				fmt.Fprintln(w)
			}
			if len(lines) == 0 {
				fmt.Fprintln(w, a.text("送信待ちの通知はありません。", "No notice waits."))
			}
			return nil
		})}
	cmd.Flags().BoolVar(&all, "all", false, "済んだものも / settled ones too")
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return cmd
}

func (a *app) noticeState(s match.State) string {
	return map[match.State]string{
		match.Pending: a.text("ログへの記録待ち", "waits for the log"), match.Prepared: a.text("ログへの記録中", "being logged"),
		match.Logged: a.text("送信待ち", "waits to be sent"), match.Delivered: a.text("送信済み", "delivered"),
		match.Rejected: a.text("認証局側が拒否", "refused by the CA side"), match.Stopped: a.text("送信前に停止", "stopped before sending"),
		match.Withdrawn: a.text("取下げ", "withdrawn"),
	}[s]
}

func (a *app) linkDays(with withOffice) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{Use: "day [DAY]", Short: "日ごとの件数(日本の日付) / counts by day in Japan (2026-11-23)", Args: cobra.MaximumNArgs(1),
		RunE: with(func(o *juki.Office, cmd *cobra.Command, args []string) error {
			days, err := o.Matching.Daily()
			if err != nil {
				return err
			}
			if len(args) == 1 {
				if _, err := time.Parse(time.DateOnly, args[0]); err != nil {
					return say.New("juki.day", "日付は 2026-11-23 の形で入れてください。", "Give the day as 2026-11-23.")
				}
				days = map[string]match.Day{args[0]: days[args[0]]}
			}
			w := cmd.OutOrStdout()
			if asJSON {
				return writeJSON(w, days)
			}
			for _, day := range slices.Sorted(maps.Keys(days)) {
				d := days[day]
				fmt.Fprintf(w, a.text("%s  通知: 記録 %d、受領 %d、拒否 %d  一覧: %d 件(新規 %d、抹消 %d)\n",
					"%s  notices: %d logged, %d taken, %d refused  lists: %d (%d new, %d struck off)\n"), day, d.Logged, d.Delivered, d.Rejected, d.Lists, d.New, d.Gone)
			}
			return nil
		})}
	cmd.Flags().BoolVar(&asJSON, "json", false, "JSON")
	return cmd
}
