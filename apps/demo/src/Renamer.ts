/**
 * Moves directories about while workers index what is in them. It locks both places for writing, so that nobody reads a file
 * under a path that is about to be another's; under the lock it moves the directory and what the index has of it.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as Schema from "effect/Schema"
import * as Concordance from "./Concordance.ts"
import * as Corpus from "./Corpus.ts"
import type { Draw } from "./draw.ts"
import { tree } from "./Hands.ts"

/** Files of a directory that is moved: all that is in the index of them is written anew. */
export const MOVED_FILES_MAX = 64

/** A move comes up to this long after the work before it was handed out, in milliseconds. */
const DELAY_MILLIS = 60

export class NothingToMove extends Schema.TaggedError<NothingToMove>()("NothingToMove", { message: Schema.String }) {}

/** Every directory above a file, with the number of files in it. */
const directories = (paths: ReadonlyArray<string>): ReadonlyMap<string, number> => {
  const counts = new Map<string, number>()
  for (const path of paths) {
    for (let end = path.lastIndexOf("/"); end > 0; end = path.lastIndexOf("/", end - 1)) {
      const at = path.slice(0, end)
      counts.set(at, (counts.get(at) ?? 0) + 1)
    }
  }
  return counts
}

const parentOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")))

const isWithin = (path: string, directory: string): boolean => path === directory || path.startsWith(`${directory}/`)

export class Renamer {
  renames = 0
  private readonly root: string
  private readonly starts: ReadonlyArray<string>
  private readonly draw: Draw

  constructor(root: string, starts: ReadonlyArray<string>, draw: Draw) {
    this.root = root
    this.starts = starts
    this.draw = draw
  }

  /** Moves one directory to another place. Gives the paths that have to be looked at once more. */
  readonly move = Effect.fn("Renamer.move")({ self: this }, function* (this: Renamer) {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    yield* Effect.sleep(this.draw(DELAY_MILLIS))
    const { from, to } = yield* this.choose()
    const move = Effect.gen({ self: this }, function* () {
      yield* fs.rename(path.join(this.root, from), path.join(this.root, to))
      const left: Array<string> = []
      const found: Array<string> = []
      for (const { path: now } of (yield* Corpus.list(this.root, [to])).files) {
        const before = from + now.slice(to.length)
        // What no worker has come to yet has a hand that finds nothing: here is another one.
        if (yield* Concordance.move(before, now)) continue
        left.push(before)
        found.push(now)
      }
      this.renames += 1
      return [...left, ...found]
    })
    return yield* tree.write(from, to).withLock(move)
  })

  private readonly choose = Effect.fnUntraced({ self: this }, function* (this: Renamer) {
    const counts = directories((yield* Corpus.list(this.root, this.starts)).files.map(({ path }) => path))
    const isMovable = ([at, files]: readonly [string, number]) =>
      files <= MOVED_FILES_MAX && !this.starts.includes(at) && !this.starts.some((start) => isWithin(start, at))
    const movable = [...counts].filter(isMovable).map(([at]) => at)
    const from = movable[this.draw(movable.length)]
    if (from === undefined) {
      const message = `there is no directory of 1 to ${MOVED_FILES_MAX} files to move: give texts with folders in them`
      return yield* new NothingToMove({ message })
    }
    const parents = [parentOf(from), ...counts.keys()].filter((at) => !isWithin(at, from))
    const parent = parents[this.draw(parents.length)]!
    const name = `moved-${this.renames + 1}`
    return { from, to: parent === "" ? name : `${parent}/${name}` }
  })
}
