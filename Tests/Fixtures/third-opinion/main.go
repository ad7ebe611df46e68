// Checks a bundle's log with golang.org/x/mod alone: the head's signature, and that every record shown is in the log.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go VKEY BUNDLE
//
// Or an exported log: the head's signature, every tile, and every record through the tiles.
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

	if _, err := os.Stat(filepath.Join(os.Args[2], "tile")); err == nil {
		tiles(tlog.Tree{N: size, Hash: root}, os.Args[2])
		fmt.Printf("%s: %d records in tiles\n", lines[0], size)
		return
	}
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

// Files in a directory, as tlog asks for them: tile/8/L/N for what tlog-tiles calls tile/L/N.
type directory string

func (d directory) Height() int                         { return 8 }
func (d directory) SaveTiles(_ []tlog.Tile, _ [][]byte) {}

func (d directory) ReadTiles(tiles []tlog.Tile) (data [][]byte, err error) {
	for _, tile := range tiles {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, err := os.ReadFile(filepath.Join(string(d), path))
		if err != nil {
			return nil, err
		}
		data = append(data, bytes)
	}
	return data, nil
}

func tiles(tree tlog.Tree, path string) {
	reader := tlog.TileHashReader(tree, directory(path))
	root, err := tlog.TreeHash(tree.N, reader)
	check(err)
	if root != tree.Hash {
		log.Fatal("another root")
	}
	for first := int64(0); first < tree.N; first += 256 {
		tile := tlog.Tile{H: 8, L: 0, N: first / 256, W: int(min(256, tree.N-first))}
		name := strings.Replace(tile.Path(), "tile/8/0/", "tile/entries/", 1)
		bundle, err := os.ReadFile(filepath.Join(path, name))
		check(err)
		for index := first; index < first+int64(tile.W); index++ {
			length := int64(bundle[0])<<8 | int64(bundle[1])
			hashes, err := reader.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
			check(err)
			if hashes[0] != tlog.RecordHash(bundle[2:2+length]) {
				log.Fatalf("record %d is another", index)
			}
			bundle = bundle[2+length:]
		}
		if len(bundle) > 0 {
			log.Fatal("more records than hashes")
		}
	}
}

func min(a, b int64) int64 {
	if a < b {
		return a
	}
	return b
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
