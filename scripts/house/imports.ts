/**
 * Who may import whom. Pure.
 *
 * `domain` and `raft` know nobody; `backends` and `tuplespace` stand on them, `server` on those, apps on all. A package
 * sees of another only what that one exports. `src/core` sees `src/core` and Effect's plain data types alone.
 */
import * as Path from "node:path/posix"
import { importsOf, type Import, type Source } from "./Source.ts"

interface Found {
  readonly rule: string
  readonly line: number
  readonly message: string
}

interface Allowed {
  /** Packages of this repository, without the scope. */
  readonly weft: ReadonlyArray<string>
  readonly node: boolean
  /** Packages from the registry beside `effect`. */
  readonly packages: ReadonlyArray<string>
}

const server = ["domain", "raft", "backends", "tuplespace"]

/** Absent means: no rule (scripts, bench and tests of the whole repository). */
const shipped: Readonly<Record<string, Allowed>> = {
  "packages/domain": { weft: [], node: false, packages: [] },
  "packages/raft": { weft: [], node: true, packages: ["@effect/platform-node"] },
  "packages/backends": { weft: ["domain", "raft"], node: true, packages: ["@effect/platform-node", "redis", "koffi"] },
  "packages/tuplespace": { weft: ["domain"], node: true, packages: [] },
  "packages/server": { weft: server, node: true, packages: ["@effect/platform-node"] },
  "apps/demo": { weft: [...server, "server"], node: true, packages: ["@effect/platform-node"] }
}

/** Effect modules that are values and types alone: nothing in them runs, waits, reads a clock or draws a number. */
const coreEffect = new Set(
  "Array BigDecimal BigInt Boolean Brand Chunk Data Encoding Equal Equivalence Function Hash HashMap HashSet Iterable Match Number Option Order Ordering Pipeable Predicate Record Result Schema SchemaAST SchemaIssue String Struct Tuple Types".split(
    " "
  )
)

const packageOf = (path: string): string | undefined => /^(?:packages|apps)\/[^/]+/.exec(path)?.[0]
const folderOf = (path: string): string => path.split("/")[2] ?? ""
const isCore = (path: string): boolean => /^packages\/[^/]+\/src\/core\//.test(path)

const nameOf = (specifier: string): string =>
  specifier
    .split("/")
    .slice(0, specifier.startsWith("@") ? 2 : 1)
    .join("/")

const effectModules = ({ names, specifier }: Import): ReadonlyArray<string> => {
  if (specifier === "effect") return names.map((name) => name.replace(/^type\s+/, ""))
  return [specifier.slice("effect/".length)]
}

const core = (source: Source, entry: Import): string | undefined => {
  const { names, specifier } = entry
  if (specifier.startsWith(".")) {
    const target = Path.join(Path.dirname(source.path), specifier)
    return isCore(target) ? undefined : `core/ imports ${specifier}, which is outside of core/`
  }
  if (nameOf(specifier) !== "effect")
    return `core/ imports ${specifier}: core/ stands on itself and Effect's data types`
  if (specifier === "effect" && names.length === 0) return "core/ imports all of effect: name the data types it needs"
  const wrong = effectModules(entry).find((name) => !coreEffect.has(name))
  return wrong === undefined ? undefined : `core/ imports ${wrong} of effect, which is not plain data`
}

const relative = (source: Source, specifier: string, home: string): string | undefined => {
  const target = Path.join(Path.dirname(source.path), specifier)
  if (!target.startsWith(`${home}/`))
    return `${specifier} reaches out of ${home}: import what the other package exports`
  const folder = folderOf(source.path)
  const other = folderOf(target)
  if (folder === "src" && other !== "src")
    return `src imports ${specifier}: what is shipped does not stand on ${other}/`
  return folder === "testing" && other === "test"
    ? `testing imports ${specifier}: the kit does not stand on test/`
    : undefined
}

const named = (specifier: string, home: string, folder: string): string | undefined => {
  const allowed = shipped[home]
  if (allowed === undefined) return `${home} is not in the list of packages: add it to scripts/house/imports.ts`
  const name = nameOf(specifier)
  const isKit = folder === "testing"
  if (name === "effect") return undefined
  if (specifier.startsWith("node:")) {
    return allowed.node || isKit ? undefined : `${home}/src imports ${specifier}: it has to run where there is no Node`
  }
  if (name.startsWith("@weft/")) {
    const other = name.slice("@weft/".length)
    return allowed.weft.includes(other)
      ? undefined
      : `${home} may not stand on ${name}: arrows point up the list of packages`
  }
  if (isKit && (name === "vitest" || name === "@effect/vitest")) return undefined
  return allowed.packages.includes(name) ? undefined : `${home} imports ${name}, which is not among its dependencies`
}

/** What is wrong with the imports of one source. Tests (`test/`) may stand on every package, but not reach into one. */
export const violations = (source: Source): ReadonlyArray<Found> => {
  const home = packageOf(source.path)
  if (home === undefined) return []
  const folder = folderOf(source.path)
  return importsOf(source.text).flatMap((entry): ReadonlyArray<Found> => {
    const { line, specifier } = entry
    const isRelative = specifier.startsWith(".")
    const direction = isRelative
      ? relative(source, specifier, home)
      : folder === "test"
        ? undefined
        : named(specifier, home, folder)
    const impure = isCore(source.path) ? core(source, entry) : undefined
    return [
      ...(direction === undefined ? [] : [{ rule: "direction", line, message: direction }]),
      ...(impure === undefined ? [] : [{ rule: "purity", line, message: impure }])
    ]
  })
}
