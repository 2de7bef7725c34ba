package pebblestore

import (
	"context"
	"testing"

	"github.com/google/trillian/integration/storagetest"
	"github.com/google/trillian/storage"
	"github.com/google/trillian/storage/testonly"

	"github.com/sukashi-project/sukashi/internal/kv"
)

func memStore(t *testing.T, o Options) *Store {
	t.Helper()
	s, err := kv.Open("store", kv.Options{FS: kv.NewMemFS(), CacheBytes: 1 << 20, MemTable: 1 << 20})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return New(s, o)
}

func TestTrillianLogStorageConformance(t *testing.T) {
	storagetest.RunLogStorageTests(t, func(_ context.Context, t *testing.T) (storage.LogStorage, storage.AdminStorage) {
		s := memStore(t, Options{HashIndex: true})
		return s, s.Admin()
	})
}

func TestTrillianAdminStorageConformance(t *testing.T) {
	tester := testonly.AdminStorageTester{NewAdminStorage: func() storage.AdminStorage { return memStore(t, Options{}).Admin() }}
	tester.RunAllTests(t)
}
