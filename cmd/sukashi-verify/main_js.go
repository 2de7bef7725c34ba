//go:build js

// Command sukashi-verify, built for js/wasm, gives a page one function:
//
//	sukashiVerify({file, policy, entry, proof, cert})
//
// Each member is a Uint8Array or missing. It returns the result as JSON text.
// Nothing leaves the page.
package main

import (
	"encoding/json"
	"syscall/js"

	"github.com/sukashi-project/sukashi/review/verify"
)

func main() {
	js.Global().Set("sukashiVerify", js.FuncOf(func(_ js.Value, args []js.Value) any {
		if len(args) != 1 || args[0].Type() != js.TypeObject {
			return `{"exit":1}`
		}
		get := func(name string) []byte {
			v := args[0].Get(name)
			if v.Type() != js.TypeObject || v.Get("byteLength").Type() != js.TypeNumber {
				return nil
			}
			n := v.Get("byteLength").Int()
			if n < 0 || n > 64<<20 {
				return nil
			}
			b := make([]byte, n)
			js.CopyBytesToGo(b, v)
			return b
		}
		r := verify.Check(verify.Input{File: get("file"), Policy: get("policy"), Entry: get("entry"), Proof: get("proof"), Cert: get("cert")})
		b, err := json.Marshal(r)
		if err != nil {
			return `{"exit":1}`
		}
		return string(b)
	}))
	select {}
}
