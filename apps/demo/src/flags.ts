/** What can be asked on the command line, with its bounds. */
import type * as Config from "effect/Config"
import type * as Option from "effect/Option"
import * as Argument from "effect/cli/Argument"
import * as Flag from "effect/cli/Flag"
import { PROCESSES_MAX } from "./Fleet.ts"

/** Fibers that index in one process; beyond it they only wait for one another. */
export const WORKERS_MAX = 256

/** Kills and renames of one run. */
export const EVENTS_MAX = 10_000

export interface Flags {
  readonly directory: Option.Option<string>
  readonly workers: number
  readonly processes: number
  readonly kill: boolean
  readonly kills: number
  readonly rename: boolean
  readonly renames: number
  readonly seed: Option.Option<number>
  readonly search: ReadonlyArray<string>
  readonly limit: number
  /** Empty when none was named. */
  readonly store: string
  readonly json: boolean
}

const within = (name: string, from: number, to: number) => (self: Flag.Flag<number>) =>
  Flag.filter(
    self,
    (value) => value >= from && value <= to,
    (value) => `--${name} must be ${from} to ${to}, not ${value}`
  )

const count = (name: string, description: string, from: number, to: number, byDefault: number) =>
  Flag.Int(name).pipe(Flag.withDescription(description), within(name, from, to), Flag.withDefault(byDefault))

const yes = (name: string, description: string) =>
  Flag.Boolean(name).pipe(Flag.withDescription(description), Flag.withDefault(false))

/** All of them; `store` says what holds when no store is named. */
export const flags = (store: Config.Config<string>) => ({
  directory: Argument.String("directory").pipe(
    Argument.withDescription("A directory of text, or one file. Default: the sources and guides of effect"),
    Argument.optional
  ),
  workers: count("workers", `Fibers that index, in each process, 1 to ${WORKERS_MAX}`, 1, WORKERS_MAX, 4).pipe(
    Flag.withAlias("w")
  ),
  processes: count("processes", `Processes that index, 1 to ${PROCESSES_MAX}`, 1, PROCESSES_MAX, 1).pipe(
    Flag.withAlias("p")
  ),
  kill: yes("kill", "Kills processes at random moments; compares with a quiet run. In a new store unless one is named"),
  kills: count("kills", "How many, with --kill", 1, EVENTS_MAX, 20),
  rename: yes("rename", "Moves directories of a copy of the texts while they are indexed; compares with a quiet run"),
  renames: count("renames", "How many, with --rename", 1, EVENTS_MAX, 20),
  seed: Flag.Int("seed").pipe(
    Flag.withDescription("Of what --kill and --rename do at random; it is printed"),
    Flag.optional
  ),
  search: Flag.String("search").pipe(
    Flag.withAlias("s"),
    Flag.withDescription("A word to look for; may be given more than once"),
    Flag.atLeast(0)
  ),
  limit: count("limit", "Lines shown of each word", 0, Number.MAX_SAFE_INTEGER, 20),
  store: Flag.String("store").pipe(
    Flag.withDescription(
      "Where the index lives: inproc, or file:PATH. Default: WEFT_STORE, or a file in the cache directory of the system"
    ),
    Flag.withFallbackConfig(store)
  ),
  json: yes("json", "One JSON object on stdout")
})
