// A witness (C2SP tlog-witness) made of golang.org/x/mod: it shares no code with the log that it watches.
//
//	GO111MODULE=off GOPATH=/usr/share/gocode go run main.go DIR VKEY [SECONDS]
//
// DIR holds its key and, for the log of VKEY, what it has seen; it writes its port to DIR/port and its verifier key to
// DIR/vkey. Its clock differs by SECONDS. It listens on 127.0.0.1 only.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const name = "witness.example"

// A cosignature's key has another type than a note's, and so another id.
const cosignatureV1 = 0x04

type witness struct {
	sync.Mutex
	dir  string
	log  note.Verifier
	key  ed25519.PrivateKey
	size int64
	root tlog.Hash
	skew int64
}

func main() {
	log.SetFlags(0)
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	w := &witness{dir: os.Args[1], log: verifier}
	if len(os.Args) > 3 {
		w.skew, err = strconv.ParseInt(os.Args[3], 10, 64)
		check(err)
	}
	w.load()
	listener, err := net.Listen("tcp", "127.0.0.1:"+w.read("port", "0"))
	check(err)
	w.write("vkey", fmt.Sprintf("%s+%08x+%s\n", name, w.id(), base64.StdEncoding.EncodeToString(w.public())))
	w.write("port", strings.Split(listener.Addr().String(), ":")[1])
	http.HandleFunc("/add-checkpoint", w.addCheckpoint)
	check(http.Serve(listener, nil))
}

func (w *witness) addCheckpoint(out http.ResponseWriter, request *http.Request) {
	w.Lock()
	defer w.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(out, request.Body, 1<<16))
	if err != nil || request.Method != "POST" {
		http.Error(out, "not a request", http.StatusBadRequest)
		return
	}
	head, signed, found := bytes.Cut(body, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	old, err := strconv.ParseInt(strings.TrimPrefix(lines[0], "old "), 10, 64)
	if !found || err != nil || !strings.HasPrefix(lines[0], "old ") || len(lines) > 64 {
		http.Error(out, "not a request", http.StatusBadRequest)
		return
	}
	var proof tlog.TreeProof
	for _, line := range lines[1:] {
		hash, err := tlog.ParseHash(line)
		if err != nil {
			http.Error(out, "not a proof", http.StatusBadRequest)
			return
		}
		proof = append(proof, hash)
	}
	opened, err := note.Open(signed, note.VerifierList(w.log))
	var unverified *note.UnverifiedNoteError
	switch {
	case errors.As(err, &unverified) && strings.Split(unverified.Note.Text, "\n")[0] != w.log.Name():
		http.Error(out, "unknown log", http.StatusNotFound)
		return
	case err != nil:
		http.Error(out, "not signed by a known key", http.StatusForbidden)
		return
	}
	text := strings.Split(opened.Text, "\n")
	if len(text) != 4 || text[0] != w.log.Name() {
		http.Error(out, "unknown log", http.StatusNotFound)
		return
	}
	size, err := strconv.ParseInt(text[1], 10, 64)
	root, problem := tlog.ParseHash(text[2])
	if err != nil || problem != nil || old > size || old < 0 {
		http.Error(out, "not a checkpoint", http.StatusBadRequest)
		return
	}
	if old != w.size || old == size && old != 0 && root != w.root {
		out.Header().Set("Content-Type", "text/x.tlog.size")
		out.WriteHeader(http.StatusConflict)
		fmt.Fprintf(out, "%d\n", w.size)
		return
	}
	if old == 0 && len(proof) > 0 || old > 0 && old < size && tlog.CheckTree(proof, size, root, old, w.root) != nil {
		http.Error(out, "inconsistent", http.StatusUnprocessableEntity)
		return
	}
	w.size, w.root = size, root
	w.write("seen", fmt.Sprintf("%d %s\n%s", size, root, signed))
	now := time.Now().Unix() + w.skew
	message := fmt.Sprintf("cosignature/v1\ntime %d\n%s", now, opened.Text)
	payload := binary.BigEndian.AppendUint32(nil, w.id())
	payload = binary.BigEndian.AppendUint64(payload, uint64(now))
	payload = append(payload, ed25519.Sign(w.key, []byte(message))...)
	fmt.Fprintf(out, "\u2014 %s %s\n", name, base64.StdEncoding.EncodeToString(payload))
}

// What it saw last survives its end.
func (w *witness) load() {
	seed := make([]byte, ed25519.SeedSize)
	_, err := rand.Read(seed)
	check(err)
	text := w.read("seed", base64.StdEncoding.EncodeToString(seed))
	w.write("seed", text)
	seed, err = base64.StdEncoding.DecodeString(text)
	check(err)
	w.key = ed25519.NewKeyFromSeed(seed)
	if seen := w.read("seen", ""); seen != "" {
		var root string
		_, err := fmt.Sscanf(seen, "%d %s\n", &w.size, &root)
		check(err)
		w.root, err = tlog.ParseHash(root)
		check(err)
	}
}

func (w *witness) public() []byte {
	return append([]byte{cosignatureV1}, w.key.Public().(ed25519.PublicKey)...)
}

func (w *witness) id() uint32 {
	sum := sha256.Sum256(append([]byte(name+"\n"), w.public()...))
	return binary.BigEndian.Uint32(sum[:])
}

func (w *witness) read(file, otherwise string) string {
	text, err := os.ReadFile(filepath.Join(w.dir, file))
	if err != nil {
		return otherwise
	}
	return string(text)
}

// Whole or not at all.
func (w *witness) write(file, text string) {
	path := filepath.Join(w.dir, file)
	check(os.WriteFile(path+".new", []byte(text), 0o600))
	check(os.Rename(path+".new", path))
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
