/**
 * Folders over a store of objects that knows no folders, as S3: `node paths.ts [store]`. Writing, deleting, renaming and
 * copying a folder take many steps; tree locks make each of them one, for those who ask for locks.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as Console from "effect/Console"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Backends from "@weft/backends/Backends"
import * as DMap from "@weft/domain/DMap"
import * as Lock from "@weft/domain/Lock"
import { Store } from "@weft/domain/Store"

type Path = ReadonlyArray<string>

/** One object of one path; each call is a request of its own, as with S3. */
const objects = DMap.make("objects", { key: Schema.Array(Schema.String), value: Schema.String })
const tree = Lock.make("objects")

/** Between two requests everybody else may do something, also where a store answers at once. */
const others = Effect.yieldNow

/** The objects of a folder. */
const listed = (folder: Path) => objects.entries({ prefix: folder })

const copyAll = Effect.fnUntraced(function* (from: Path, to: Path) {
  for (const [path, content] of yield* listed(from)) {
    yield* objects.set([...to, ...path.slice(from.length)], content)
    yield* others
  }
})

const deleteAll = Effect.fnUntraced(function* (folder: Path) {
  for (const [path] of yield* listed(folder)) {
    yield* objects.remove(path)
    yield* others
  }
})

export const read = (folder: Path) => tree.read(folder).withLock(listed(folder))
export const write = (folder: Path, contents: Readonly<Record<string, string>>) =>
  tree
    .write(folder)
    .withLock(
      Effect.forEach(Object.entries(contents), ([name, text]) =>
        Effect.andThen(objects.set([...folder, name], text), others)
      )
    )
export const remove = (folder: Path) => tree.write(folder).withLock(deleteAll(folder))
export const rename = (from: Path, to: Path) =>
  tree.write(from, to).withLock(Effect.andThen(copyAll(from, to), deleteAll(from)))
export const copy = (from: Path, to: Path) =>
  tree.request({ read: [from], write: [to] }).withLock(Effect.andThen(deleteAll(to), copyAll(from, to)))

const NAMES = ["a", "b", "c", "d"]
const ROUNDS = 10

/** All objects of a folder, of one kind each time: a folder that is there is there whole, and never a mix. */
const look = Effect.fnUntraced(function* (folder: Path) {
  const found = yield* read(folder)
  const kinds = new Set(found.map(([, content]) => content))
  const isWhole = found.length === 0 || (found.length === NAMES.length && kinds.size === 1)
  return isWhole
    ? undefined
    : `${folder.join("/")}: ${found.map(([path, content]) => `${path.join("/")}=${content}`).join(" ")}`
})

const program = Effect.gen(function* () {
  const places: ReadonlyArray<Path> = [["left"], ["right", "deep", "er"], ["copies", "of", "it"]]
  const [left, right, copies] = places as readonly [Path, Path, Path]
  const all = (content: string) => Object.fromEntries(NAMES.map((name) => [name, content]))
  yield* write(left, all("0"))
  const writer = Effect.forEach(range(ROUNDS), (i) =>
    Effect.andThen(rename(left, right), Effect.andThen(rename(right, left), write(left, all(`${i}`))))
  )
  const copier = Effect.forEach(range(ROUNDS), () => Effect.andThen(copy(left, copies), remove(copies)))
  const seen: Array<string | undefined> = []
  const reader = Effect.forEach(places, (place) => Effect.map(look(place), (problem) => seen.push(problem)))
  const changing = Effect.all([writer, copier], { concurrency: "unbounded" })
  yield* Effect.raceFirst(changing, Effect.forever(reader))
  const torn = seen.filter((problem) => problem !== undefined)
  yield* Console.log(`${seen.length} looks at folders, ${torn.length} torn`)
  for (const problem of torn) yield* Console.log(problem)
  yield* Console.log((yield* read([])).map(([path, content]) => `/${path.join("/")} ${content}`).join("\n"))
})

const range = (count: number): ReadonlyArray<number> => Array.from({ length: count }, (_, i) => i)

const [, , store = "memory"] = process.argv
NodeRuntime.runMain(Effect.provide(program, Store.layer(Backends.layer(store))))
