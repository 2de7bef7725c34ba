package demo

import (
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/schollz/progressbar/v3"

	"github.com/sukashi-project/sukashi/internal/say"
)

// Story tells what happens, in one language, in short numbered steps. How the
// interface speaks:
//   - one numbered heading per step, then indented facts;
//   - every figure comes from the run;
//   - progress bars only on a terminal, and only for steps that take seconds;
//   - 〇 for what holds, ✕ for what was caught, never a colour alone.
type Story struct {
	out   io.Writer
	bars  io.Writer // nil: no progress bars
	lang  say.Lang
	step  int
	start time.Time
	mu    sync.Mutex
	spent []phase
}

type phase struct {
	name say.Text
	took time.Duration
}

// NewStory tells to out in language lang; progress bars go to bars, nil for none.
func NewStory(out, bars io.Writer, lang say.Lang) *Story {
	return &Story{out: out, bars: bars, lang: lang, start: time.Now()}
}

func (s *Story) text(ja, en string) string { return say.Text{JA: ja, EN: en}.In(s.lang) }

// Banner prints lines before the first step.
func (s *Story) Banner(ja, en string) { fmt.Fprintln(s.out, s.text(ja, en)) }

// Step begins a numbered step.
func (s *Story) Step(ja, en string) {
	s.step++
	fmt.Fprintf(s.out, "\n%2d. %s\n", s.step, s.text(ja, en))
}

// Fact prints one line under the step. Both formats take the same arguments.
func (s *Story) Fact(ja, en string, args ...any) {
	fmt.Fprintf(s.out, "    "+s.text(ja, en)+"\n", args...)
}

// Bar shows the progress of a long step.
type Bar struct{ bar *progressbar.ProgressBar }

// Add moves the bar on by n. It is safe for concurrent use.
func (b Bar) Add(n int) {
	if b.bar != nil {
		_ = b.bar.Add(n) // a bar that can't be drawn is no error
	}
}

// Done removes the bar.
func (b Bar) Done() {
	if b.bar != nil {
		_ = b.bar.Finish()
	}
}

// Progress starts a bar of total units.
func (s *Story) Progress(ja, en string, total int) Bar {
	if s.bars == nil || total < 2 {
		return Bar{}
	}
	return Bar{progressbar.NewOptions(total,
		progressbar.OptionSetWriter(s.bars), progressbar.OptionSetDescription("    "+s.text(ja, en)),
		progressbar.OptionShowCount(), progressbar.OptionClearOnFinish(), progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionSetWidth(30), progressbar.OptionUseANSICodes(true))}
}

// Clock measures a phase; call the result when it ends.
func (s *Story) Clock(ja, en string) func() {
	begin := time.Now()
	return func() { s.Spent(ja, en, time.Since(begin)) }
}

// Spent adds time to a phase of that name.
func (s *Story) Spent(ja, en string, d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name := say.Text{JA: ja, EN: en}
	for i := range s.spent {
		if s.spent[i].name == name {
			s.spent[i].took += d
			return
		}
	}
	s.spent = append(s.spent, phase{name, d})
}

// Times prints where the time went.
func (s *Story) Times() {
	s.mu.Lock()
	defer s.mu.Unlock()
	total := time.Since(s.start)
	t := table.NewWriter()
	t.SetStyle(table.StyleLight)
	t.AppendHeader(table.Row{s.text("工程", "phase"), s.text("秒", "seconds"), "%"})
	rest := total
	for _, p := range s.spent {
		t.AppendRow(table.Row{p.name.In(s.lang), fmt.Sprintf("%.2f", p.took.Seconds()), fmt.Sprintf("%.0f", 100*p.took.Seconds()/total.Seconds())})
		rest -= p.took
	}
	t.AppendRow(table.Row{s.text("その他", "other"), fmt.Sprintf("%.2f", rest.Seconds()), fmt.Sprintf("%.0f", 100*rest.Seconds()/total.Seconds())})
	t.AppendFooter(table.Row{s.text("合計", "total"), fmt.Sprintf("%.2f", total.Seconds()), "100"})
	fmt.Fprintln(s.out, t.Render())
}
