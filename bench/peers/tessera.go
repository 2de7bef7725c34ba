package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"path/filepath"
	"time"

	"github.com/transparency-dev/tessera"
	"github.com/transparency-dev/tessera/storage/posix"
	"golang.org/x/mod/sumdb/note"
)

// tesseraLog is Tessera on a POSIX file system, with batches of up to batch
// entries or 50 ms and its smallest checkpoint interval, 100 ms, without
// de-duplication. Its latency comes mostly from that interval.
func tesseraLog(ctx context.Context, dir string, batch uint) (add, error) {
	skey, _, err := note.GenerateKey(rand.Reader, "log.bench/1")
	if err != nil {
		return nil, err
	}
	signer, err := note.NewSigner(skey)
	if err != nil {
		return nil, err
	}
	driver, err := posix.New(ctx, posix.Config{Path: filepath.Join(dir, "tessera")})
	if err != nil {
		return nil, fmt.Errorf("couldn't make the storage: %w", err)
	}
	log, _, reader, err := tessera.NewAppender(ctx, driver, tessera.NewAppendOptions().
		WithCheckpointSigner(signer).
		WithCheckpointInterval(100*time.Millisecond).
		WithBatching(batch, 50*time.Millisecond).
		WithPushback(1<<16))
	if err != nil {
		return nil, fmt.Errorf("couldn't start the log: %w", err)
	}
	awaiter := tessera.NewPublicationAwaiter(ctx, reader.ReadCheckpoint, 5*time.Millisecond)
	return func(ctx context.Context, entry []byte) error {
		_, _, err := awaiter.Await(ctx, log.Add(ctx, tessera.NewEntry(entry)))
		return err
	}, nil
}
