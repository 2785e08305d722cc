/**
 * The texts: which files there are, and one of them read whole or not at all. Everything that keeps a file out is named,
 * never thrown: a corpus is what it is.
 */
import * as Clock from "effect/Clock"
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

/** Files that are looked at side by side. */
const LOOKS_AT_ONCE = 16

/**
 * A file changed this short a time before it was read may change again without its time of change telling, since clocks of
 * file systems tick. Its stamp is not kept, so that the next run reads it once more.
 */
const RACY_MILLIS = 2_000

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
  | "its workers died"

/** A place that was left out, and why. */
export interface Skipped {
  readonly path: string
  readonly reason: Reason
}

/**
 * What tells one state of a file from another without reading it: its size, time of change, time of birth and number. The
 * times alone would not do: package managers give all files of all releases the same one. Empty when nothing can be told.
 */
export type Stamp = string

/** A file as the walk met it. */
export interface Listed {
  readonly path: string
  readonly stamp: Stamp
  readonly bytes: number
}

export interface Listing {
  /** Paths relative to the corpus, with forward slashes, in byte order. */
  readonly files: ReadonlyArray<Listed>
  readonly skipped: ReadonlyArray<Skipped>
}

/** What reading a file gave: its text, or why there is none; `reason` "gone" is a file that is no longer there. */
export interface Read {
  readonly stamp: Stamp
  readonly text?: string
  readonly reason?: Reason
}

const reasonOf = (error: PlatformError): Reason => (error.reason._tag === "NotFound" ? "gone" : "unreadable")

const inOrder = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What must stay the same while a file is read, for what was read to be one state of it. */
const stampOf = (info: FileSystem.File.Info): Stamp =>
  [
    Number(info.size),
    Option.getOrUndefined(info.mtime)?.getTime(),
    Option.getOrUndefined(info.birthtime)?.getTime(),
    Option.getOrUndefined(info.ino)
  ].join(" ")

/** Paths of files under `root/at` for each of `starts`, links not followed. An unreadable folder is one skipped place. */
const walk = Effect.fn("Corpus.walk")(function* (
  root: string,
  starts: ReadonlyArray<string>,
  skip: (at: string, reason: Reason) => void
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const paths: Array<string> = []
  const into = (at: string, depth: number): Effect.Effect<void> =>
    Effect.gen(function* () {
      if (depth > DEPTH_MAX) return skip(at, "too deep")
      const entries = yield* fs.readDirectoryEntries(path.join(root, at))
      for (const { name, type } of entries.toSorted((a, b) => inOrder(a.name, b.name))) {
        const below = at === "" ? name : `${at}/${name}`
        if (type === "Directory") {
          if (!skippedFolders.has(name)) yield* into(below, depth + 1)
        } else if (type !== "File") skip(below, "no regular file")
        else if (paths.length >= FILES_MAX) skip(below, "too many files")
        else paths.push(below)
      }
    }).pipe(Effect.catch((error) => Effect.sync(() => skip(at, reasonOf(error)))))

  for (const start of starts) {
    const info = yield* Effect.result(fs.stat(path.join(root, start)))
    if (info._tag === "Failure") skip(start, reasonOf(info.failure))
    else if (info.success.type === "File") paths.push(start)
    else if (info.success.type === "Directory") yield* into(start, 0)
    else skip(start, "no regular file")
  }
  return paths
})

/**
 * The files under `root/at` for each of `starts`, each looked at and none read. A start that does not exist is skipped, so a
 * caller who needs one to exist asks before; a file that goes while the walk is under way is not there.
 */
export const list = Effect.fn("Corpus.list")(function* (root: string, starts: ReadonlyArray<string>) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const skipped: Array<Skipped> = []
  const skip = (at: string, reason: Reason): void => void skipped.push({ path: at === "" ? "." : at, reason })
  const paths = [...new Set(yield* walk(root, starts, skip))].toSorted(inOrder)
  const files: Array<Listed> = []
  const look = (at: string) =>
    Effect.match(fs.stat(path.join(root, at)), {
      onSuccess: (info) => void files.push({ path: at, stamp: stampOf(info), bytes: Number(info.size) }),
      onFailure: (error) => (reasonOf(error) === "gone" ? undefined : skip(at, "unreadable"))
    })
  yield* Effect.forEach(paths, look, { concurrency: LOOKS_AT_ONCE, discard: true })
  const listing: Listing = { files: files.toSorted((a, b) => inOrder(a.path, b.path)), skipped }
  return listing
})

/** UTF-8 as it should be and without a zero byte: anything else is no text. */
const decode = (bytes: Uint8Array): string | undefined => {
  if (bytes.includes(0)) return undefined
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes)
  } catch {
    return undefined
  }
}

/** One file as text, or why it is none. Reads it once, between two looks at its stamp. */
export const read = Effect.fn("Corpus.read")(
  function* (root: string, at: string) {
    const fs = yield* FileSystem.FileSystem
    const path = (yield* Path.Path).join(root, at)
    const before = yield* fs.stat(path)
    const skipped = (reason: Reason, stamp: Stamp): Read => ({ reason, stamp })
    const stamp = stampOf(before)
    if (before.type !== "File") return skipped("no regular file", "")
    if (Number(before.size) > FILE_BYTES_MAX) return skipped("too large", stamp)
    const bytes = yield* fs.readFile(path)
    const after = yield* fs.stat(path)
    if (stamp !== stampOf(after) || bytes.length !== Number(after.size)) return skipped("changed while it was read", "")
    const changed = Option.getOrUndefined(after.mtime)?.getTime()
    const isRacy = changed === undefined || changed > (yield* Clock.currentTimeMillis) - RACY_MILLIS
    const kept = isRacy ? "" : stamp
    const text = decode(bytes)
    return text === undefined ? skipped("binary", kept) : ({ text, stamp: kept } satisfies Read)
  },
  (effect) => Effect.catch(effect, (error) => Effect.succeed<Read>({ reason: reasonOf(error), stamp: "" }))
)
