// Checks a bundle's log with golang.org/x/mod alone: the head's signature, and that every record shown is in the log.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go VKEY BUNDLE
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

type leaf struct {
	Record string
	Index  int64
	Proof  []string
}

func main() {
	log.SetFlags(0)
	verifier, err := note.NewVerifier(os.Args[1])
	check(err)
	signed, err := os.ReadFile(filepath.Join(os.Args[2], "checkpoint"))
	check(err)
	head, err := note.Open(signed, note.VerifierList(verifier))
	check(err)
	lines := strings.Split(head.Text, "\n")
	size, err := strconv.ParseInt(lines[1], 10, 64)
	check(err)
	root := hash(lines[2])

	var evidence struct{ Authority, Epochs []leaf }
	file, err := os.ReadFile(filepath.Join(os.Args[2], "evidence.json"))
	check(err)
	check(json.Unmarshal(file, &evidence))
	records := append(evidence.Authority, evidence.Epochs...)
	for _, each := range records {
		var proof tlog.RecordProof
		for _, text := range each.Proof {
			proof = append(proof, hash(text))
		}
		check(tlog.CheckRecord(proof, size, root, each.Index, tlog.RecordHash([]byte(each.Record))))
	}
	fmt.Printf("%s: %d records of %d\n", lines[0], len(records), size)
}

func hash(text string) (out tlog.Hash) {
	bytes, err := base64.StdEncoding.DecodeString(text)
	check(err)
	if copy(out[:], bytes) != tlog.HashSize || len(bytes) != tlog.HashSize {
		log.Fatal("a hash of another length")
	}
	return out
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
