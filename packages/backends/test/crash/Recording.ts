/**
 * What a process did to the files of a directory, read from the output of `strace`, and the images that a power cut may
 * leave of it. A file system may, of what was not synced, keep any part, in any order, the last write torn at a sector.
 */
import * as fs from "node:fs"
import * as path from "node:path"

export type Operation =
  | { readonly _tag: "Write"; readonly file: string; readonly at: number; readonly bytes: Buffer }
  | { readonly _tag: "Truncate"; readonly file: string; readonly length: number }
  | { readonly _tag: "Create"; readonly file: string }
  | { readonly _tag: "Unlink"; readonly file: string }
  | { readonly _tag: "Rename"; readonly file: string; readonly to: string }
  /** A file's, or that of the whole directory. */
  | { readonly _tag: "Sync"; readonly file: string | undefined }
  /** A line on standard output. */
  | { readonly _tag: "Told"; readonly line: string }

/** The arguments of `strace` that make a log `parse` can read. */
export const straceArguments = (log: string): ReadonlyArray<string> => [
  "-f",
  "-y",
  "-xx",
  "-s",
  "100000000",
  "-e",
  "trace=openat,write,pwrite64,ftruncate,fsync,fdatasync,unlink,rename",
  "-o",
  log
]

const text = (hex: string): string => Buffer.from(hex.replaceAll("\\x", ""), "hex").toString("latin1")

/** Operations on files in `directory`, in the order in which they ended. Shared memory and wake-up files are left out. */
export const parse = (log: string, directory: string): ReadonlyArray<Operation> => {
  const operations: Array<Operation> = []
  const open = new Map<string, string>()
  const positions = new Map<string, number>()
  const isOurs = (file: string): boolean =>
    path.dirname(file) === directory && !file.endsWith("-shm") && !/-(wake|turn)$/.test(file)
  for (const raw of fs.readFileSync(log, "latin1").split("\n")) {
    const [, pid, rest] = /^(\d+) +(.*)$/.exec(raw) ?? []
    if (pid === undefined || rest === undefined) continue
    let line = rest
    if (line.endsWith("<unfinished ...>")) {
      open.set(pid, line.slice(0, -"<unfinished ...>".length))
      continue
    }
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(line)
    if (resumed !== null) line = (open.get(pid) ?? "") + resumed[1]!
    const call = /^(\w+)\((.*)\)\s+= (-?\d+)/.exec(line)
    if (call === null || Number(call[3]) < 0) continue
    const name = call[1]!
    // An argument list that was cut at "unfinished" ends in a space.
    const args = call[2]!.trimEnd()
    const fd = /^(\d+)<([^>]*)>/.exec(args)
    const file = fd === null ? "" : fd[2]!.includes("\\x") ? text(fd[2]!) : fd[2]!
    const strings = [...args.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map((match) => match[1]!)
    if (name === "write" && fd?.[1] === "1") {
      for (const told of text(strings[0]!).split("\n")) if (told !== "") operations.push({ _tag: "Told", line: told })
    } else if (name === "openat" && args.includes("O_CREAT")) {
      const made = text(strings[0]!)
      if (!isOurs(made)) continue
      operations.push({ _tag: "Create", file: made })
      if (args.includes("O_TRUNC")) operations.push({ _tag: "Truncate", file: made, length: 0 })
      positions.set(made, 0)
    } else if (name === "unlink" && isOurs(text(strings[0]!))) {
      operations.push({ _tag: "Unlink", file: text(strings[0]!) })
    } else if (name === "rename" && isOurs(text(strings[0]!))) {
      operations.push({ _tag: "Rename", file: text(strings[0]!), to: text(strings[1]!) })
    } else if ((name === "fsync" || name === "fdatasync") && file === directory) {
      operations.push({ _tag: "Sync", file: undefined })
    } else if (!isOurs(file)) {
      continue
    } else if (name === "fsync" || name === "fdatasync") {
      operations.push({ _tag: "Sync", file })
    } else if (name === "ftruncate") {
      operations.push({ _tag: "Truncate", file, length: Number(/, (\d+)$/.exec(args)![1]) })
    } else if (name === "pwrite64") {
      const at = Number(/, (\d+)$/.exec(args)![1])
      operations.push({ _tag: "Write", file, at, bytes: Buffer.from(strings[0]!.replaceAll("\\x", ""), "hex") })
    } else if (name === "write") {
      const bytes = Buffer.from(strings[0]!.replaceAll("\\x", ""), "hex")
      const at = positions.get(file) ?? 0
      positions.set(file, at + bytes.length)
      operations.push({ _tag: "Write", file, at, bytes })
    }
  }
  return operations
}

/** How a crash treats what was not synced. */
export type Loss = "all lost" | "all kept" | "some lost" | "last torn" | "some lost, last torn"
export const losses: ReadonlyArray<Loss> = ["all lost", "all kept", "some lost", "last torn", "some lost, last torn"]

const sectorBytes = 512

/** The files after a crash behind `operations[count - 1]`. `random` draws what is lost. */
export const imageAt = (
  operations: ReadonlyArray<Operation>,
  count: number,
  loss: Loss,
  random: () => number
): ReadonlyMap<string, Buffer> => {
  const synced = new Map<string, number>()
  let directorySynced = -1
  for (let i = 0; i < count; i++) {
    const operation = operations[i]!
    if (operation._tag !== "Sync") continue
    if (operation.file === undefined) directorySynced = i
    else synced.set(operation.file, i)
  }
  const files = new Map<string, Buffer>()
  const unsynced: Array<number> = []
  const durable = (operation: Operation, i: number): boolean => {
    switch (operation._tag) {
      case "Write":
      case "Truncate":
        return i < (synced.get(operation.file) ?? -1)
      case "Create":
        // Journaling file systems keep the name of a file whose data they were told to keep.
        return i < directorySynced || i < (synced.get(operation.file) ?? -1)
      case "Unlink":
      case "Rename":
        return i < directorySynced
      default:
        return true
    }
  }
  for (let i = 0; i < count; i++) if (!durable(operations[i]!, i)) unsynced.push(i)
  const last = unsynced.findLast((i) => operations[i]!._tag === "Write")
  const lost = new Set(
    loss === "all lost" ? unsynced : loss.startsWith("some") ? unsynced.filter(() => random() < 0.5) : []
  )
  for (let i = 0; i < count; i++) {
    if (lost.has(i)) continue
    const operation = operations[i]!
    const torn = loss.endsWith("torn") && i === last
    perform(files, operation, torn ? Math.floor(random() * 8) * sectorBytes : Infinity)
  }
  return files
}

const perform = (files: Map<string, Buffer>, operation: Operation, bytesMax: number): void => {
  switch (operation._tag) {
    case "Create":
      if (!files.has(operation.file)) files.set(operation.file, Buffer.alloc(0))
      return
    case "Write": {
      const bytes = operation.bytes.subarray(0, Math.min(bytesMax, operation.bytes.length))
      const old = files.get(operation.file) ?? Buffer.alloc(0)
      const grown = old.length >= operation.at + bytes.length ? old : Buffer.alloc(operation.at + bytes.length)
      if (grown !== old) old.copy(grown)
      bytes.copy(grown, operation.at)
      files.set(operation.file, grown)
      return
    }
    case "Truncate": {
      const old = files.get(operation.file) ?? Buffer.alloc(0)
      const cut = Buffer.alloc(operation.length)
      old.copy(cut, 0, 0, Math.min(old.length, operation.length))
      files.set(operation.file, cut)
      return
    }
    case "Unlink":
      files.delete(operation.file)
      return
    case "Rename": {
      const moved = files.get(operation.file)
      files.delete(operation.file)
      if (moved !== undefined) files.set(operation.to, moved)
      return
    }
    default:
  }
}
