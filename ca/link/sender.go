package link

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/sukashi-project/sukashi/internal/say"
	"github.com/sukashi-project/sukashi/policy"
)

// Outbox holds what is to be sent; *ca.Authority is one.
type Outbox interface {
	// Outbox returns the oldest message that is not acknowledged.
	Outbox(ctx context.Context) (seq uint64, message []byte, ok bool, err error)
	// Acknowledged says that a message was received for good.
	Acknowledged(ctx context.Context, seq uint64) error
}

// SenderConfig is the sending side of the link.
type SenderConfig struct {
	Outbox Outbox
	Client *http.Client  // mutual TLS towards the register's link server
	URL    string        // https://host:port, without a slash at the end
	Retry  time.Duration // first pause after a failure; 0 means 1 second; grows to 5 minutes
	Logger *slog.Logger  // nil: silent
}

// Sender sends holder lists (M1) in order. Only one Flush or Run may be active.
type Sender struct {
	cfg  SenderConfig
	wake chan struct{}
}

const (
	defaultRetry = time.Second
	maxRetry     = 5 * time.Minute
)

// NewSender checks the configuration.
func NewSender(cfg SenderConfig) (*Sender, error) {
	if cfg.Outbox == nil || cfg.Client == nil || cfg.URL == "" || cfg.Retry < 0 {
		return nil, errors.New("the sender needs an outbox, a client and an address")
	}
	if cfg.Retry == 0 {
		cfg.Retry = defaultRetry
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	return &Sender{cfg: cfg, wake: make(chan struct{}, 1)}, nil
}

// Wake tells Run that there is something to send.
func (s *Sender) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Flush sends what waits, oldest first, and returns at the first failure. A
// message that the other end has taken in but whose answer got lost is sent
// again; the other end knows it by its sequence number.
func (s *Sender) Flush(ctx context.Context) error {
	for {
		seq, message, ok, err := s.cfg.Outbox.Outbox(ctx)
		if err != nil {
			return fmt.Errorf("couldn't look into the outbox: %w", err)
		}
		if !ok {
			return nil
		}
		if err := s.post(ctx, message); err != nil {
			return err
		}
		if err := s.cfg.Outbox.Acknowledged(ctx, seq); err != nil {
			return fmt.Errorf("couldn't note the acknowledgement: %w", err)
		}
	}
}

func (s *Sender) post(ctx context.Context, message []byte) error {
	a, err := policy.Ask(ctx, s.cfg.Client, s.cfg.URL, policy.PathHolders, message)
	if errors.Is(err, policy.ErrAnswer) {
		return err
	}
	if err != nil {
		return say.New("link.unreachable", "認証局連携サーバにつながりません。", "The register's link server can't be reached.").
			Hint("つながり次第、自動で送り直します。", "The list is sent again as soon as it can be reached.").Because(err)
	}
	return a.Err()
}

// Run sends whenever Wake was called, and after a failure again with growing
// pauses, until ctx ends. Nothing is given up: a list stays until it is
// received.
func (s *Sender) Run(ctx context.Context) error {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval = s.cfg.Retry, maxRetry
	for {
		var again <-chan time.Time
		if err := s.Flush(ctx); err != nil && ctx.Err() == nil {
			s.cfg.Logger.Warn("the holders list could not be sent", "code", say.Code(err))
			again = time.After(pause.NextBackOff())
		} else {
			pause.Reset()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-s.wake:
		case <-again:
		}
	}
}
