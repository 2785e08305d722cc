/**
 * The texts: which files there are, and one of them read whole or not at all. Everything that keeps a file out is named,
 * never thrown: a corpus is what it is.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Option from "effect/Option"
import * as Path from "effect/Path"
import type { PlatformError } from "effect/PlatformError"

/** Bytes of one file. A larger one is named and skipped: it is no text that people wrote. */
export const FILE_BYTES_MAX = 4 * 1024 * 1024

/** Files of one corpus. */
export const FILES_MAX = 100_000

/** Directories below one another; also what ends a walk through a file system that contains itself. */
export const DEPTH_MAX = 64

/** Folders that hold no text of their own. */
const skippedFolders = new Set(["node_modules", ".git", "dist"])

/** Why a file is not in the index. */
export type Reason =
  | "unreadable"
  | "gone"
  | "binary"
  | "changed while it was read"
  | "too large"
  | "no regular file"
  | "too deep"
  | "too many files"

/** A place that was left out, and why. */
export interface Skipped {
  readonly path: string
  readonly reason: Reason
}

export interface Listing {
  /** Paths relative to the corpus, with forward slashes, in byte order. */
  readonly paths: ReadonlyArray<string>
  readonly skipped: ReadonlyArray<Skipped>
}

const reasonOf = (error: PlatformError): Reason => (error.reason._tag === "NotFound" ? "gone" : "unreadable")

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/**
 * Files under `root/at` for each of `starts`, links not followed. An unreadable folder is one skipped place. A start that
 * does not exist is skipped too, so a caller who needs one to exist asks before.
 */
export const list = Effect.fn("Corpus.list")(function* (root: string, starts: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const paths: Array<string> = []
  const skipped: Array<Skipped> = []
  const skip = (at: string, reason: Reason): void => void skipped.push({ path: at === "" ? "." : at, reason })

  const walk = (at: string, depth: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (depth > DEPTH_MAX) return skip(at, "too deep")
      const entries = yield* fs.readDirectoryEntries(path.join(root, at))
      for (const { name, type } of entries.toSorted((a, b) => inOrder(a.name, b.name))) {
        const below = at === "" ? name : `${at}/${name}`
        if (type === "Directory") {
          if (!skippedFolders.has(name)) yield* walk(below, depth + 1)
        } else if (type !== "File") skip(below, "no regular file")
        else if (paths.length >= FILES_MAX) skip(below, "too many files")
        else paths.push(below)
      }
    }).pipe(Effect.catch((error) => Effect.sync(() => skip(at, reasonOf(error)))))

  for (const start of starts) {
    const info = yield* Effect.result(fs.stat(path.join(root, start)))
    if (info._tag === "Failure") skip(start, reasonOf(info.failure))
    else if (info.success.type === "File") paths.push(start)
    else if (info.success.type === "Directory") yield* walk(start, 0)
    else skip(start, "no regular file")
  }
  const listing: Listing = { paths: [...new Set(paths)].toSorted(inOrder), skipped }
  return listing
})

/** What must stay the same while a file is read, for what was read to be one state of it. */
const stateOf = (info: FileSystem.File.Info): string =>
  [info.type, info.size, Option.getOrUndefined(info.mtime)?.getTime(), Option.getOrUndefined(info.ino)].join(" ")

/** UTF-8 as it should be and without a zero byte: anything else is no text. */
const decode = (bytes: Uint8Array): string | undefined => {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** One file as text, or why it is none. Reads it once, between two looks at its size, time and identity. */
export const read = Effect.fn("Corpus.read")(
  function* (root: string, at: string) {
    const fs = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).join(root, at)
    const skipped = (reason: Reason): string | Skipped => ({ path: at, reason })
    const before = yield* fs.stat(path)
    if (before.type !== "File") return skipped("no regular file")
    if (Number(before.size) > FILE_BYTES_MAX) return skipped("too large")
    const bytes = yield* fs.readFile(path)
    const after = yield* fs.stat(path)
    if (stateOf(before) !== stateOf(after) || bytes.length !== Number(after.size)) {
      return skipped("changed while it was read")
    }
    return decode(bytes) ?? skipped("binary")
  },
  (effect, _root, at) =>
    Effect.catch(effect, (error) => Effect.succeed<string | Skipped>({ path: at, reason: reasonOf(error) }))
)
