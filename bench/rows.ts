/** The rows that there are. A row is loaded when it is asked for, so one that is broken leaves the others alone. */
import type { Row } from "./lib.ts"

/** Programs of their own that print JSON lines: passed through, not measured by this harness. */
export interface Script {
  readonly script: string
  readonly title: string
}

export interface Entry {
  readonly title: string
  readonly load: () => Promise<Row>
}

export const rows: Readonly<Record<string, Entry | Script>> = {
  "7": { title: "uncontended transaction in process", load: async () => (await import("./rows/uncontended.ts")).row },
  "8": { title: "contended counter in process", load: async () => (await import("./rows/contended.ts")).row },
  "22": { title: "notice of a change in process", load: async () => (await import("./rows/notice.ts")).row },
  "23": { title: "the layer over a backend's machine", load: async () => (await import("./rows/layer.ts")).row },
  "9": { title: "one writer of a file store, durable", load: async () => (await import("./rows/fileCommits.ts")).one },
  "10": {
    title: "64 writers of a file store, durable",
    load: async () => (await import("./rows/fileCommits.ts")).many
  },
  "11": {
    title: "four processes on one cell of a file store",
    load: async () => (await import("./rows/fileContended.ts")).row
  },
  "12": { title: "a file store of 1 kB and of 1 MB", load: async () => (await import("./rows/fileCommits.ts")).state },
  "16": { title: "a tuple put out and taken", load: async () => (await import("./rows/tuples.ts")).row },
  "18": { title: "a tree lock", load: async () => (await import("./rows/treeLock.ts")).uncontended },
  "19": { title: "a tree lock with others held", load: async () => (await import("./rows/treeLock.ts")).beside },
  fileWake: {
    title: "waking another process through a file store",
    load: async () => (await import("./rows/fileWake.ts")).row
  },
  fileOpen: {
    title: "opening a file store of a million cells",
    load: async () => (await import("./rows/fileOpen.ts")).row
  },
  fileLoop: {
    title: "the event loop under writers of a file store",
    load: async () => (await import("./rows/fileLoop.ts")).row
  },
  queue: { title: "DQueue, short and long", load: async () => (await import("./rows/queue.ts")).row },
  map: { title: "DMap, small and of a million entries", load: async () => (await import("./rows/map.ts")).row },
  core: { title: "the Raft core alone", script: "raft-core.ts" },
  checker: { title: "the linearizability checker", script: "linearizability.ts" },
  sim: { title: "the Raft simulator", script: "simulation.ts" }
}
