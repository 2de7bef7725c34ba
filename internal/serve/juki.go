package serve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sukashi-project/sukashi/internal/municipality"
	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/zone"
	"github.com/sukashi-project/sukashi/juki/link"
	"github.com/sukashi-project/sukashi/juki/register"
	"github.com/sukashi-project/sukashi/ledger/entry"
	"github.com/sukashi-project/sukashi/ledger/publish"
)

// Juki is the role juki: the business subsystem with the identity information
// database, the list of certificate holders and the outbox of notices.
type Juki struct {
	Dir        string           `yaml:"dir"`        // holders and outbox; the identity information database too, unless postgres is given
	Postgres   string           `yaml:"postgres"`   // file with a connection string, readable by its owner alone
	NoticeMode string           `yaml:"noticeMode"` // reference or echo
	Ledger     Client           `yaml:"ledger"`     // as business-subsystem of zone juki
	Terminals  []roles.Terminal `yaml:"terminals"`  // the town halls' terminals
	Officers   []string         `yaml:"officers"`   // who decide about unclear matches; names in client certificates
	Link       *LinkEnd         `yaml:"link"`
}

func (c *Config) validateJuki() error {
	if c.Public != "" {
		return errors.New("the register has nothing public")
	}
	return errors.Join(address("metrics", c.Metrics), c.onlyZones(zone.Juki))
}

func (j *Juki) validate() error {
	if j.Dir == "" || j.NoticeMode != entry.ModeReference && j.NoticeMode != entry.ModeEcho {
		return errors.New("juki needs dir and noticeMode (reference or echo)")
	}
	seen := map[string]bool{}
	for _, t := range j.Terminals {
		if t.Name == "" || seen[t.Name] || !municipality.ValidCode(t.Municipality) {
			return fmt.Errorf("terminal %q needs a name of its own and a municipality code", t.Name)
		}
		seen[t.Name] = true
	}
	for _, name := range j.Officers {
		if register.CheckOperator(name) != nil || seen[name] {
			return fmt.Errorf("officer %q needs an operator id as name, and to be no terminal", name)
		}
		seen[name] = true
	}
	return errors.Join(j.Ledger.validate("juki's ledger"), j.Link.validate())
}

// openJuki opens the register's server. Errors and log lines of this role hold
// codes, never a person.
func (r *runner) openJuki(ctx context.Context) error {
	j := r.cfg.Juki
	log, err := r.ledgerClient(j.Ledger)
	if err != nil {
		return err
	}
	dsn := ""
	if j.Postgres != "" {
		b, err := readSecret(r.cfg.path(j.Postgres))
		if err != nil {
			return err
		}
		dsn = strings.TrimSpace(string(b))
	}
	office, err := roles.OpenOffice(ctx, r.cfg.path(j.Dir), dsn)
	if err != nil {
		return err
	}
	r.closers = append(r.closers, office.Close)
	own, conf, err := r.own(zone.Juki)
	if err != nil {
		return err
	}
	m := r.newMetrics()
	m.gauge("sukashi_juki_changes", "Changes in the register.", func() float64 { return float64(office.Register.Size()) })
	var s atomic.Pointer[link.Server]
	m.gauge("sukashi_juki_link_wait_seconds", "How long the link waits before it tries again; 0: nothing is in its way.", func() float64 {
		if s := s.Load(); s != nil {
			return s.Wait().Seconds()
		}
		return -1
	})
	server, err := r.openJukiEnd(office, log, own, conf, m)
	if err != nil {
		return err
	}
	s.Store(server)
	api, err := roles.Business(roles.BusinessConfig{Office: office, Own: own, Terminals: j.Terminals, Officers: j.Officers, Changed: server.Wake})
	if err != nil {
		return err
	}
	if err := r.listen("juki", r.cfg.Listen, conf, m.count("juki", api)); err != nil {
		return err
	}
	ops := http.NewServeMux()
	m.mount(ops, func(ctx context.Context) error { return r.logAnswers(ctx, log) })
	return r.listen("metrics", r.cfg.Metrics, nil, ops)
}

// logAnswers: the ledger can be reached.
func (r *runner) logAnswers(ctx context.Context, log *publish.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := log.Size(ctx)
	if err != nil {
		r.log.Error("the log can't be reached", "code", say.Code(err))
	}
	return err
}
