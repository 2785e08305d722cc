/**
 * What a run stands on, found out before anything is opened: the texts, the store, and for scenarios a place of their own
 * that is removed afterwards.
 */
import * as Effect from "effect/Effect"
import * as FileSystem from "effect/FileSystem"
import * as Path from "effect/Path"
import * as CliError from "effect/cli/CliError"
import { cacheFile, type Machine } from "./cacheFile.ts"
import * as Corpus from "./Corpus.ts"

/** Which texts: a folder, and where below it to start. */
export interface Texts {
  readonly root: string
  readonly starts: ReadonlyArray<string>
}

export const fail = (message: string) => Effect.fail(new CliError.UserError({ cause: message, userMessage: message }))

/** The texts of a directory or of one file. */
export const textsAt = Effect.fn("Setup.textsAt")(function* (directory: string) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const info = yield* Effect.result(fs.stat(directory))
  if (info._tag === "Failure") {
    const why = info.failure.reason._tag === "NotFound" ? "does not exist" : `cannot be read (${info.failure.message})`
    return yield* fail(`${directory} ${why}. Give a directory of text, or none for the sources of effect.`)
  }
  const { type } = info.success
  if (type !== "Directory" && type !== "File") {
    return yield* fail(`${directory} is neither a directory nor a file. Give a directory of text.`)
  }
  const whole = yield* fs.realPath(directory)
  const texts: Texts =
    type === "Directory" ? { root: whole, starts: [""] } : { root: path.dirname(whole), starts: [path.basename(whole)] }
  if (type === "Directory") {
    const readable = yield* Effect.result(fs.readDirectory(whole))
    if (readable._tag === "Failure") return yield* fail(`${directory} cannot be read (${readable.failure.message}).`)
  }
  return texts
})

/** A directory that is removed when the scope closes. */
const place = Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeTempDirectoryScoped({ prefix: "weft-concordance-" }))

/** A copy of the texts that may be turned upside down. */
export const copyOf = Effect.fn("Setup.copyOf")(function* ({ root, starts }: Texts) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  const copy = yield* fs.realPath(yield* place)
  for (const { path: at } of (yield* Corpus.list(root, starts)).files) {
    yield* fs.makeDirectory(path.dirname(path.join(copy, at)), { recursive: true })
    yield* fs.copyFile(path.join(root, at), path.join(copy, at))
  }
  const texts: Texts = { root: copy, starts }
  return texts
})

/** The store in the text that opens it: as named, or new and for this run alone, or this directory's in the cache. */
export const storeFor = Effect.fn("Setup.storeFor")(function* (
  named: string,
  texts: Texts,
  isScenario: boolean,
  machine: Machine
) {
  const fs = yield* FileSystem.FileSystem
  const path = yield* Path.Path
  if (named !== "") return named
  if (isScenario) return `file:${path.join(yield* place, "index.weft")}`
  const file = cacheFile(machine, texts.root, texts.starts)
  yield* fs
    .makeDirectory(path.dirname(file), { recursive: true })
    .pipe(Effect.catch((error) => fail(`no place for the index: ${error.message}. Name one: --store file:PATH`)))
  return `file:${file}`
})
