package status

// pages is a growing array cut into pages that clones share until one of them
// writes. Cloning copies one pointer per page; a write copies at most one page.
type pages[T any] struct {
	list []*page[T]
	n    uint64
}

// pageItems is the number of items in a page: 4 KiB of hashes, 32 KiB of
// chunks.
const pageItems = 128

type page[T any] struct {
	owner *owner
	items [pageItems]T
}

// owner is a token: a tree may write only to pages that carry its own.
// It has a size, because pointers to zero-size values may be equal.
type owner struct{ _ byte }

func (p *pages[T]) at(i uint64) *T { return &p.list[i/pageItems].items[i%pageItems] }

// writable returns item i for writing, growing the array by one if i is its
// length.
func (p *pages[T]) writable(i uint64, o *owner) *T {
	if i == p.n {
		p.n++
		if i/pageItems == uint64(len(p.list)) {
			p.list = append(p.list, &page[T]{owner: o})
		}
	}
	pg := p.list[i/pageItems]
	if pg.owner != o {
		c := *pg
		c.owner = o
		pg = &c
		p.list[i/pageItems] = pg
	}
	return &pg.items[i%pageItems]
}

func (p *pages[T]) clone() pages[T] {
	return pages[T]{list: append([]*page[T](nil), p.list...), n: p.n}
}
