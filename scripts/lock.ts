/**
 * `npm run lock`: writes package-lock.json anew from the package.json files, and completes it.
 *
 * npm leaves an optional package out of the lock when the registry at hand does not have it, which happens with mirrors
 * that carry the builds of a few platforms only. `npm ci` then refuses the lock as incomplete, on every platform. So the
 * missing ones are entered by the version that their owner pins, with the platform that their name says: where it is
 * another platform nothing is fetched, where it is this one npm asks the registry. Such an entry has no integrity hash.
 * Changes package-lock.json only; `npm ci` installs it.
 */
import { spawnSync } from "node:child_process"
import { readFileSync, utimesSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { root } from "./house/files.ts"

interface Entry {
  readonly version?: string
  readonly optional?: boolean
  readonly os?: ReadonlyArray<string>
  readonly cpu?: ReadonlyArray<string>
  readonly libc?: ReadonlyArray<string>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

interface Lock {
  readonly packages: Readonly<Record<string, Entry>>
}

const systems = ["darwin", "linux", "win32", "android", "freebsd", "openbsd", "netbsd", "openharmony", "sunos", "aix"]
const processors = "arm64 x64 ia32 ppc64 riscv64 s390x loong64 mips64el wasm32 arm".split(" ")

/** What a package for one platform says about it in its name, `@oxfmt/binding-linux-riscv64-musl` for example. */
const platform = (name: string): Pick<Entry, "os" | "cpu" | "libc"> | undefined => {
  const words = name.split(/[-/]/)
  const os = systems.find((system) => words.includes(system))
  const cpu = processors.find((processor) => words.includes(processor))
  if (cpu === undefined || (os === undefined && cpu !== "wasm32")) return undefined
  const libc = words.some((word) => word.startsWith("musl")) ? ["musl"] : words.includes("gnu") ? ["glibc"] : undefined
  return { cpu: [cpu], ...(os === undefined ? {} : { os: [os] }), ...(os === "linux" && libc ? { libc } : {}) }
}

const missing = (lock: Lock): ReadonlyArray<readonly [string, Entry]> =>
  Object.values(lock.packages).flatMap((owner) =>
    Object.entries(owner.optionalDependencies ?? {}).flatMap(([name, version]) => {
      const place = platform(name)
      const isEntered = Object.keys(lock.packages).some((path) => path.endsWith(`node_modules/${name}`))
      if (isEntered || place === undefined || !/^\d/.test(version)) return []
      return [[`node_modules/${name}`, { version, optional: true, ...place }] as const]
    })
  )

const file = join(root, "package-lock.json")
const { status } = spawnSync("npm", ["install", "--package-lock-only", "--no-audit", "--no-fund"], {
  cwd: root,
  stdio: "inherit",
  shell: process.platform === "win32"
})
if (status !== 0) process.exit(status ?? 1)

const lock = JSON.parse(readFileSync(file, "utf8")) as Lock
const added = missing(lock)
const entries = [...Object.entries(lock.packages), ...added].toSorted(([a], [b]) => a.localeCompare(b, "en"))
writeFileSync(file, `${JSON.stringify({ ...lock, packages: Object.fromEntries(entries) }, null, 2)}\n`)
console.log(`package-lock.json: ${entries.length} packages, ${added.length} of them entered for other platforms`)
for (const [path] of added) console.log(`  ${path.replace("node_modules/", "")}`)
if (process.argv.includes("--installed")) {
  const now = new Date()
  utimesSync(join(root, "node_modules", ".package-lock.json"), now, now)
}
