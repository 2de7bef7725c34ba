package serve

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/sukashi-project/sukashi/internal/roles"
	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/internal/web"
	"github.com/sukashi-project/sukashi/ledger/publish"
	"github.com/sukashi-project/sukashi/review/agency"
)

// Pages is one of the roles portal, agency and council: pages outside the
// zones, made of what is public. They keep nothing and have no key but that of
// their own TLS certificate.
type Pages struct {
	Log     string   `yaml:"log"`     // portal, agency: address of the log's public side
	Policy  string   `yaml:"policy"`  // portal, agency: C2SP tlog-policy, whom they believe
	Issuers []string `yaml:"issuers"` // agency: issuer certificates that it got by another way, PEM or DER
	Report  string   `yaml:"report"`  // council: the report's HTML, of sukashi review report
}

func (c *Config) validatePages() error {
	p := c.Pages
	if c.Public != "" || c.TLS != nil && len(c.TLS.Roots) > 0 {
		return errors.New("pages are for everyone: they have one address and take no roots")
	}
	fromLog := p.Log != "" && p.Policy != ""
	nothing := p.Log == "" && p.Policy == ""
	ok := false
	switch c.Role {
	case RolePortal:
		ok = fromLog && len(p.Issuers) == 0 && p.Report == ""
	case RoleAgency:
		ok = fromLog && len(p.Issuers) > 0 && p.Report == ""
	case RoleCouncil:
		ok = nothing && len(p.Issuers) == 0 && p.Report != ""
	}
	if !ok {
		return errors.New("portal needs log and policy; agency log, policy and issuers; council report; and nothing else")
	}
	if u, err := url.Parse(p.Log); p.Log != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Path != "") {
		return errors.New("log must be http(s)://HOST:PORT")
	}
	return address("metrics", c.Metrics)
}

// logTimeout bounds one question of a page to the log.
const logTimeout = 15 * time.Second

func (r *runner) openPages() error {
	conf, err := r.pagesConfig()
	if err != nil {
		return err
	}
	h, err := web.Handler(conf)
	if err != nil {
		return err
	}
	t, err := r.forEveryone()
	if err != nil {
		return err
	}
	m := r.newMetrics()
	ops := http.NewServeMux()
	m.mount(ops, nil)
	return errors.Join(r.listen("metrics", r.cfg.Metrics, nil, ops), r.listen(r.cfg.Role, r.cfg.Listen, t, m.count(r.cfg.Role, h)))
}

func (r *runner) pagesConfig() (c web.Config, err error) {
	p := r.cfg.Pages
	if r.cfg.Role == RoleCouncil {
		c.Report = func() ([]byte, error) { return os.ReadFile(r.cfg.path(p.Report)) }
		return c, nil
	}
	policy, err := r.policy(p.Policy)
	if err != nil {
		return c, err
	}
	log, err := publish.NewClient(p.Log, &http.Client{Timeout: logTimeout})
	if err != nil {
		return c, err
	}
	if r.cfg.Role == RolePortal {
		c.Portal = &web.Portal{Reader: log, Policy: policy, Log: p.Log}
		return c, nil
	}
	trust := agency.Trust{Policy: policy}
	for _, path := range p.Issuers {
		b, err := readLimited(r.cfg.path(path), maxConfig)
		if err != nil {
			return c, say.New("serve.issuer", "発行者の証明書を読めません: "+path, "An issuer's certificate can't be read: "+path).Because(err)
		}
		if block, _ := pem.Decode(b); block != nil {
			b = block.Bytes
		}
		trust.Issuers = append(trust.Issuers, b)
	}
	c.Check = roles.Agency(log, trust, time.Now)
	return c, nil
}
