/**
 * The house rules: what no compiler and no linter of ours checks. Pure: sources in, violations out.
 *
 * `import` arrows point up the list of packages only; `core/` decides everything and touches nothing; nothing of the
 * machine it was written on gets into the repository; nothing is left half done.
 */
import * as Imports from "./imports.ts"
import { codeOf, lineAt, type Source } from "./Source.ts"

export interface Violation {
  readonly rule: string
  readonly path: string
  readonly line: number
  readonly message: string
}

type Rule = (source: Source) => ReadonlyArray<Violation>

/** Lines that a source file may have. Beyond it the file has two subjects and wants to be two files. */
export const FILE_LINES_MAX = 400

const isScript = (path: string): boolean => /\.(ts|mts|mjs)$/.test(path)
const isCore = (path: string): boolean => /^packages\/[^/]+\/src\/core\//.test(path)

/** Every match of a pattern in a text as a violation. */
const each = (
  source: Source,
  text: string,
  pattern: RegExp,
  rule: string,
  message: (match: RegExpMatchArray) => string
): ReadonlyArray<Violation> =>
  Array.from(text.matchAll(pattern), (match) => ({
    rule,
    path: source.path,
    line: lineAt(text, match.index),
    message: message(match)
  }))

const size: Rule = (source) => {
  const lines = source.text.split("\n").length - 1
  return isScript(source.path) && lines > FILE_LINES_MAX
    ? [
        {
          rule: "size",
          path: source.path,
          line: lines,
          message: `${lines} lines, more than ${FILE_LINES_MAX}: split it`
        }
      ]
    : []
}

const leftovers: Rule = (source) =>
  source.path.endsWith(".json")
    ? []
    : each(source, source.text, /\b(TO{1}DO|FIX{1}ME)\b/g, "leftover", (m) => `${m[1]}: do it now or make it an issue`)

const focused: Rule = (source) =>
  isScript(source.path)
    ? each(
        source,
        codeOf(source.text),
        /\b(it|test|describe|suite|effect|live|layer|prop)\.(only|skip)\b/g,
        "focused-test",
        (m) => `${m[0]}: run every test, or use skipIf with the reason in its name`
      )
    : []

/** Test files share a process and its modules (`isolate: false`). */
const globals: Rule = (source) =>
  /\/(test|testing)\/.*\.ts$|^test\/.*\.test\.ts$/.test(source.path)
    ? each(
        source,
        codeOf(source.text),
        /\bprocess\.env(\.\w+|\[[^\]\n]+\]) *(\?\?|\|\|)?=(?!=)|\bglobalThis\.\w+ *=(?!=)|\bprocess\.chdir\b|\bvi\.\w+|\.prototype\.\w+ *=(?!=)/g,
        "global",
        (m) => `${m[0]} changes what other test files see, in the same process: give it as an argument`
      )
    : []

/** Lines above a cast in which a comment counts as its justification: a statement may begin a little earlier. */
const JUSTIFIED_LINES = 3

const casts: Rule = (source) => {
  if (!isScript(source.path)) return []
  const lines = source.text.split("\n")
  const isComment = (line: string): boolean => /\/\/|\/\*|\*\/|^\s*\*/.test(line)
  const isJustified = (line: number): boolean => lines.slice(line - 1 - JUSTIFIED_LINES, line).some(isComment)
  const found = each(source, codeOf(source.text), /\bas (any|unknown as)\b/g, "cast", (m) => {
    return `\`${m[0]}\` without a comment beside it that says why it is right`
  })
  return found
    .filter((violation) => !isJustified(violation.line))
    .concat(
      each(source, source.text, /@ts-(ignore|nocheck)\b/g, "cast", (m) => `${m[0]} hides everything: mend the type`)
    )
}

const machine: Rule = (source) =>
  each(
    source,
    source.text,
    /(?<![\w.])\/(?:work|home|root|Users)\/[\w.-]+|https?:\/\/(?:registry\.|[\w.-]+\.(?:internal|corp|lan)\b)[^\s"'`)]*/g,
    "machine",
    (m) => `"${m[0]}" belongs to one machine: make it relative, or a setting`
  )

const lockHosts: Rule = (source) =>
  source.path === "package-lock.json"
    ? each(source, source.text, /"resolved": "https?:[^"]*"/g, "lock-host", () => {
        return "the lock names a registry host: install with omit-lockfile-registry-resolved=true (.npmrc)"
      })
    : []

const impure: ReadonlyArray<readonly [RegExp, string]> = [
  [/(?<![.\w$])(?:Date\s*\.\s*now|new\s+Date\b|performance\s*\.)/g, "reads a clock: take the time as an input"],
  [/\bMath\s*\.\s*random\b/g, "draws randomness: take the draw as an input"],
  [
    /(?<![.\w$])(?:setTimeout|setInterval|setImmediate|queueMicrotask)\s*\(/g,
    "schedules: return an output that asks the driver to"
  ],
  [/(?<![.\w$])(?:process|console|crypto|globalThis|navigator)\s*[.[]/g, "touches the world: leave it to the driver"],
  [/(?<![.\w$])(?:fetch|require)\s*\(/g, "does I/O: leave it to the driver"],
  [
    /(?<![.\w$])(?:async\s*(?:\(|function|\w+\s*=>)|await\b|Promise\s*[.<]|new\s+Promise\b)/g,
    "waits: a core never waits"
  ]
]

const purity: Rule = (source) =>
  isCore(source.path) && isScript(source.path)
    ? impure.flatMap(([pattern, why]) =>
        each(source, codeOf(source.text), pattern, "purity", (m) => `${m[0].trim()} ${why}`)
      )
    : []

const importRules: Rule = (source) =>
  isScript(source.path)
    ? Imports.violations(source).map(({ line, message, rule }) => ({ rule, path: source.path, line, message }))
    : []

const rules: ReadonlyArray<Rule> = [size, leftovers, focused, globals, casts, machine, lockHosts, purity, importRules]

/** Every violation in every source, in order of the sources. */
export const check = (sources: ReadonlyArray<Source>): ReadonlyArray<Violation> =>
  sources.flatMap((source) => rules.flatMap((rule) => rule(source)))

export const render = (violation: Violation): string =>
  `${violation.path}:${violation.line} ${violation.rule}: ${violation.message}`
