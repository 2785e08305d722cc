/**
 * `npm run build`: JavaScript and declarations for every package, laid out as npm would ship it.
 *
 * In the repository the packages export their TypeScript sources, which Node and tsc read as they are. A published
 * package cannot: Node refuses to strip types inside node_modules, and npm rewrites no `exports`. So `dist/packages/*`
 * gets a copy of each package with its sources, the compiled form beside them and an `exports` that points to it;
 * publish from there. Prints the folders. Cost: one `tsc -b`, about 2 s.
 */
import { spawnSync } from "node:child_process"
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join, relative } from "node:path"
import { root } from "./house/files.ts"

type Json = Readonly<Record<string, unknown>>

/** Where the shippable copies lie, one folder per package. */
export const staged = join(root, "dist", "packages")

/** Below it: what tsc wants to know, one project per package, so that one package sees of another only its exports. */
const projects = join(root, "dist", "projects")

const SOURCE_FOLDERS = ["src", "testing"]

const readJson = (path: string): Json => JSON.parse(readFileSync(path, "utf8")) as Json
const writeJson = (path: string, value: unknown): void => writeFileSync(path, `${JSON.stringify(value, null, 2)}\n`)

/** Packages that have something to ship. */
export const packageNames = (): ReadonlyArray<string> =>
  readdirSync(join(root, "packages")).filter((name) => existsSync(join(root, "packages", name, "src", "index.ts")))

const dependencies = (name: string): ReadonlyArray<string> =>
  Object.keys((readJson(join(root, "packages", name, "package.json"))["dependencies"] ?? {}) as Json)
    .filter((dependency) => dependency.startsWith("@weft/"))
    .map((dependency) => dependency.slice("@weft/".length))

const project = (name: string, names: ReadonlyArray<string>): void => {
  const from = join(projects, name)
  const home = relative(from, join(root, "packages", name)).replaceAll("\\", "/")
  mkdirSync(from, { recursive: true })
  writeJson(join(from, "tsconfig.json"), {
    extends: "../../../tsconfig.base.json",
    compilerOptions: {
      composite: true,
      noEmit: false,
      sourceMap: true,
      declarationMap: true,
      rootDir: home,
      outDir: `../../packages/${name}/dist`,
      tsBuildInfoFile: "./build.tsbuildinfo",
      typeRoots: ["../../../node_modules/@types"]
    },
    include: SOURCE_FOLDERS.map((folder) => `${home}/${folder}`),
    references: dependencies(name)
      .filter((dependency) => names.includes(dependency))
      .map((dependency) => ({ path: `../${dependency}` }))
  })
}

/** `"./src/A.ts"` becomes the compiled module and its declarations; everything else stays. */
const shippedExport = (target: unknown): unknown =>
  typeof target === "string" && target.endsWith(".ts")
    ? {
        types: target.replace(/^\.\/(.*)\.ts$/, "./dist/$1.d.ts"),
        default: target.replace(/^\.\/(.*)\.ts$/, "./dist/$1.js")
      }
    : target

const shippedBin = (target: unknown): unknown =>
  typeof target === "string" ? target.replace(/^\.\/(.*)\.ts$/, "./dist/$1.js") : target

const mapValues = (record: unknown, f: (value: unknown) => unknown): unknown =>
  typeof record === "object" && record !== null
    ? Object.fromEntries(Object.entries(record).map(([key, value]) => [key, f(value)]))
    : f(record)

const stage = (name: string): void => {
  const from = join(root, "packages", name)
  const to = join(staged, name)
  for (const folder of SOURCE_FOLDERS) {
    if (existsSync(join(from, folder))) cpSync(join(from, folder), join(to, folder), { recursive: true })
  }
  for (const file of ["README.md"]) if (existsSync(join(from, file))) cpSync(join(from, file), join(to, file))
  cpSync(join(root, "LICENSE"), join(to, "LICENSE"))
  const { bin, exports, ...manifest } = readJson(join(from, "package.json"))
  writeJson(join(to, "package.json"), {
    ...manifest,
    engines: { node: ">=22.19" },
    files: [...SOURCE_FOLDERS, "dist", "README.md", "LICENSE"],
    exports: mapValues(exports, shippedExport),
    ...(bin === undefined ? {} : { bin: mapValues(bin, shippedBin) })
  })
}

/** Builds every package. False if tsc refused one; its messages have been printed then. */
export const build = (): boolean => {
  rmSync(join(root, "dist"), { recursive: true, force: true })
  const names = packageNames()
  for (const name of names) project(name, names)
  const { status } = spawnSync("tsc", ["-b", ...names.map((name) => join(projects, name))], {
    cwd: root,
    stdio: "inherit",
    shell: process.platform === "win32"
  })
  for (const name of names) stage(name)
  return status === 0
}

if (import.meta.main) {
  const ok = build()
  for (const name of packageNames()) console.log(`${ok ? "built" : "FAILED"} dist/packages/${name}`)
  process.exitCode = ok ? 0 : 1
}
