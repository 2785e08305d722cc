/**
 * `npm run check:publish`: builds the packages as npm would ship them and judges the result. publint and attw read each
 * package; then the consumer program (`test/consumer`) is compiled with declarations against the copies, installed below
 * `dist/consumer/node_modules` where Node strips no types, and run. Writes below `dist/` alone.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { build, packageNames, staged } from "./build.ts"
import { root } from "./house/files.ts"

const consumer = join(root, "dist", "consumer")

const run = (cwd: string, command: string, args: ReadonlyArray<string>): boolean => {
  const { status, stderr, stdout } = spawnSync(command, args, {
    cwd,
    encoding: "utf8",
    shell: process.platform === "win32"
  })
  if (status !== 0) console.log(`$ ${command} ${args.join(" ")}\n${stdout}${stderr}`)
  return status === 0
}

/** Entry points behind `./*` that attw would not find by itself: the modules at the top of `src`. */
const modules = (name: string): ReadonlyArray<string> =>
  readdirSync(join(staged, name, "src"))
    .filter((file) => file.endsWith(".ts") && file !== "index.ts")
    .map((file) => file.slice(0, -".ts".length))

const judge = (name: string): boolean => {
  const folder = join(staged, name)
  const entries = modules(name)
  const include = entries.length === 0 ? [] : ["--include-entrypoints", ...entries]
  const results = [
    run(root, "publint", [folder, "--strict"]),
    run(root, "attw", ["--pack", folder, "--profile", "esm-only", "--no-emoji", "--format", "ascii", ...include])
  ]
  return results.every(Boolean)
}

const consume = (names: ReadonlyArray<string>): boolean => {
  for (const name of names) {
    cpSync(join(staged, name), join(consumer, "node_modules", "@weft", name), { recursive: true })
  }
  mkdirSync(join(consumer, "src"), { recursive: true })
  cpSync(join(root, "test", "consumer"), join(consumer, "src"), { recursive: true })
  writeFileSync(join(consumer, "package.json"), `{ "name": "weft-consumer", "private": true, "type": "module" }\n`)
  const compiled = run(consumer, "tsc", ["-p", "src/tsconfig.published.json"])
  return compiled && run(consumer, "node", [join("out", "main.js")])
}

const names = packageNames()
const report = (ok: boolean, what: string): boolean => {
  console.log(`${ok ? "ok    " : "FAILED"} ${what}`)
  return ok
}

const built = report(build(), "build")
const judged = built && names.map((name) => report(judge(name), `@weft/${name}: publint, attw`)).every(Boolean)
const consumed =
  built && existsSync(join(root, "test", "consumer")) && report(consume(names), "consumer of the built packages")
process.exitCode = judged && consumed ? 0 : 1
