extension NamedCase {
  static let leaving: [NamedCase] = [
    .init(
      name: "B1", title: "fork, vfork, clone3, posix_spawn, thread", expected: .seen,
      agent: inside(["fork", "vfork $W", "clone3", "spawn $W", "thread"])),
    .init(
      name: "B2", title: "double fork, a session of its own, the parent dead", expected: .seen,
      agent: inside(["daemon", "storm 40"]) + " daemon { daemon { do 3 read $3 ; } }"),
    .init(name: "B2b", title: "CLONE_PARENT", expected: .seen, agent: inside(["clone-parent"])),
    .init(
      name: "B2c", title: "the leader gone; exec by another thread", expected: .seen,
      agent: inside(["leader-exit", "thread-exec $W"])),
    .init(
      name: "B3", title: "after the agent's death", expected: .seen, agent: "at 100 later { at 500 do 1 read $1 ; }"),
    .init(
      name: "B3.early", title: "the same, born at once at the agent's start", expected: .seen,
      agent: "later { at 500 do 1 read $1 ; } at 400"),
    .init(
      name: "B3.early-script", title: "the same, of an agent that an interpreter runs", expected: .seen,
      agent: "later { at 500 do 1 read $1 ; } at 400", form: "agent-script"),
    .init(
      name: "B4", title: "a pid used again, own pids, own users, bubblewrap", expected: .seen,
      agent: "at 200 " + inside(["pid 31902", "own-pids", "own-users", "sandbox $W"]),
      bystander: "pid 31902 { do 9 read $9 ; }"),
    .init(
      name: "B4.other", title: "what somebody did in a pid that a session used afterwards", expected: .nothing,
      agent: "at 600 pid 31903 { do 1 read $1 ; }", bystander: "pid 31903 { do 2 read $2 ; }", asks: ["$2"]),
    .init(
      name: "B5", title: "another user: setuid, setpriv, su", expected: .seen,
      agent: inside(["nobody", "set-privilege $W", "switch-user $W"])),
    .init(
      name: "B6.forged", title: "another name and command line", expected: .seen, agent: "forge cat ; do 1 read $1 ;",
      form: "agent-forged"),
    .init(name: "B6.link", title: "through a symbolic link", expected: .seen, agent: each("read"), form: "agent-link"),
    .init(name: "B6.script", title: "by an interpreter", expected: .seen, agent: each("read"), form: "agent-script"),
    .init(name: "B6.loader", title: "by ld.so", expected: .seen, agent: each("read"), form: "agent-loader"),
    .init(
      name: "B6.memory", title: "from memory: an unknown executable", expected: .hazard, agent: each("read"),
      form: "agent-memory"),
    .init(
      name: "B6.renamed", title: "copied to another name, and it writes an agent's own files", expected: .hazard,
      agent: "do 1 read $1 ; do 2 agent-file $H/.claude ;", asks: ["$1"], form: "agent-renamed"),
    .init(
      name: "B7", title: "something else that is named like an agent", expected: .nothing, bystander: "do 1 read $1 ;",
      asks: ["$1"]),
    .init(
      name: "B8.nested", title: "an agent inside an agent", expected: .seen,
      agent: "agent $A { do 1 read $1 ; } do 2 read $2 ;"),
    .init(
      name: "B8.two", title: "two agents at once on the same file", expected: .seen, agent: "at 200 do 1 read $1 ;",
      before: "later { agent $A { at 200 do 2 read $1 ; } }"),
    .init(name: "B8.late", title: "an agent that runs before the service", expected: .own),
    // Before the others: whoever serves there is connected with the driver, which is asked with it.
    .init(
      name: "B9.adopted", title: "a window of a person's tmux, and one that a person opens before", expected: .own,
      needsAudit: true),
    .init(
      name: "B9", title: "a server that reads on request", expected: .hazard, agent: "at 300 do 2 request $M/door ;",
      bystander: "do 1 serve $M/door $1 ;", asks: ["$1"], needsAudit: true),
    .init(
      name: "B9.other", title: "what others touch whom the session did not ask", expected: .nothing,
      agent: "at 300 do 2 request $M/door ;", bystander: "later { do 3 read $2 ; } do 1 serve $M/door $1 ; at 900",
      asks: ["$2"], needsAudit: true),
    .init(
      name: "B9.fifo", title: "a server that reads when it is written to through a FIFO", expected: .hazard,
      agent: "at 300 do 2 fifo-request $M/door ;", bystander: "do 1 fifo-serve $M/door $1 ;", asks: ["$1"]),
    .init(
      name: "B9b", title: "ptrace of somebody else", expected: .hazard, agent: "at 200 do 2 trace 31904 ;",
      bystander: "pid 31904 { do 1 read $1 ; at 400 }", asks: ["$1"], needsAudit: true),
    .init(
      name: "B9c", title: "a file that the session wrote and somebody runs", expected: .hazard,
      agent: "do 1 plant $M/hook $1 ;", bystander: "at 400 do 2 exec $M/hook ;", asks: ["$1"]),
    .init(
      name: "B9c.read", title: "a file that the session wrote and somebody reads who then goes on", expected: .hazard,
      agent: "at 100 do 1 write $2 ;", bystander: "at 400 do 2 read $2 ; do 3 read $1 ;", asks: ["$1"]),
    .init(
      name: "B9c.chain", title: "a copy of it by somebody else, run by a third", expected: .hazard,
      agent: "do 1 plant $M/hook $1 ;", bystander: "at 300 do 2 copy-range $M/hook $X ; at 500 fork { do 3 exec $X ; }",
      asks: ["$1"]),
    .init(
      name: "B9c.other", title: "what others touch who took nothing from the session", expected: .nothing,
      agent: "do 1 plant $M/hook $1 ;", bystander: "at 400 do 2 read $3 ; do 3 read $2 ;", asks: ["$2"]),
    .init(
      name: "B10", title: "thousands of short processes", expected: .seen,
      agent: "noise 3000 ; " + inside(["storm 300", "storm 300", "storm 300"])),
  ]

  static let blinding: [NamedCase] = [
    .init(
      name: "C1", title: "kill -9 of the recorder under load", expected: .own),
    .init(name: "C2", title: "kill -9 of the service; stop and start", expected: .own),
    .init(
      name: "C2.open", title: "killed before an access without a close was written", expected: .own),
    .init(name: "C3", title: "overflow of the queue", expected: .own),
    .init(
      name: "C3.renames", title: "thousands of directories renamed by anybody", expected: .own),
    .init(
      name: "C3b", title: "any user switches the connector off and on", expected: .seen,
      agent: "at 500 daemon { do 1 read $1 ; }", bystander: "nobody { do 9 silence ; }", asks: ["$1"]),
    .init(
      name: "C3b.other", title: "and nobody is blamed for it", expected: .nothing,
      agent: "at 500 daemon { do 1 read $1 ; }", bystander: "nobody { do 9 silence ; } do 8 read $2 ;", asks: ["$2"]),
    .init(name: "C3c", title: "an access read seconds late, across `from`", expected: .own),
    .init(name: "C3d", title: "loss on a CPU that then stays idle", expected: .own),
    .init(
      name: "C4", title: "audit's rules removed, its records hidden, audit switched off, its count of losses reset",
      expected: .own, needsAudit: true),
    .init(name: "C5", title: "unmounted and mounted again at once", expected: .own),
    .init(name: "C6", title: "the disk of the evidence full", expected: .own),
    .init(name: "C7", title: "the wall clock put back and forth", expected: .own),
    .init(name: "C8", title: "power cut", expected: .own),
    .init(name: "C9", title: "evidence edited", expected: .own),
    .init(name: "C10", title: "a reader without rights", expected: .own),
    .init(name: "C11", title: "a quiet machine", expected: .nothing, agent: "at 10", asks: ["$1"]),
    .init(
      name: "C12", title: "a session process becomes root", expected: .own,
      agent: "at 300 do 1 read $1 ; at 1200 spawn $R { do 2 read $2 ; }", asks: ["$3"], form: "agent-nobody"),
    .init(
      name: "C12.file", title: "the same by a program's file", expected: .own,
      agent: "at 300 do 1 read $1 ; at 1200 spawn $C { do 2 read $2 ; }", asks: ["$3"], form: "agent-nobody"),
    .init(name: "C13", title: "a misspelt target", expected: .hazard, agent: "at 10", asks: ["$M/nobody-had-it"]),
    .init(name: "C14", title: "an answer that is cut off", expected: .own),
  ]
}
