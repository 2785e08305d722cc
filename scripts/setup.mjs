/**
 * Makes a fresh clone ready: installs what the lock file names when it is not installed yet, and makes sure that the
 * scripts which follow find a Node that can run TypeScript sources. Plain JavaScript on purpose: this is the one file
 * that the system's own Node (20 or later) has to understand. Says nothing and costs a few milliseconds when all is well.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from "node:fs"
import { createHash } from "node:crypto"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

/** TypeScript sources run uncompiled from 22.18 on; @effect/platform-node asks for 22.19. */
const NODE_MINIMUM = [22, 19]

/** Platforms that package.json lists a Node for, as an optional dependency. */
const ownNode = ["linux x64", "linux arm64", "win32 x64"]

const root = fileURLToPath(new URL("..", import.meta.url))
const lockFile = join(root, "package-lock.json")
const installed = join(root, "node_modules", ".package-lock.json")
const stamp = join(root, "node_modules", ".weft-lock-hash")

const fail = (...lines) => {
  for (const line of lines) console.error(line)
  process.exit(1)
}

const lockHash = () => createHash("sha256").update(readFileSync(lockFile)).digest("hex")

/** A lock that git merely touched (same bytes as at the last install) is no reason to install again. */
const isInstalled = () => {
  if (!existsSync(installed)) return false
  if (statSync(installed).mtimeMs >= statSync(lockFile).mtimeMs) return true
  return existsSync(stamp) && readFileSync(stamp, "utf8") === lockHash()
}

/** The npm that runs this script, if there is one: the first npm on the path may be another. */
const npm = (args) => {
  const cli = process.env["npm_execpath"]
  const node = process.env["npm_node_execpath"]
  // The Node inside node_modules is about to be replaced, so it must not be the one that runs npm.
  const options = { cwd: root, stdio: "inherit" }
  return cli !== undefined && /\.c?js$/.test(cli) && node && !node.startsWith(join(root, "node_modules"))
    ? spawnSync(node, [cli, ...args], options)
    : spawnSync("npm", args, { ...options, shell: process.platform === "win32" })
}

const install = () => {
  console.error("weft: installing what package-lock.json names (npm ci), once per clone ...")
  const result = npm(["ci", "--no-audit", "--no-fund", "--loglevel=error"])
  if (result.error !== undefined) {
    fail(
      `weft: npm could not be started: ${result.error.message}`,
      "Install npm 10 or later, then run the command again."
    )
  }
  if (result.status !== 0) {
    fail(
      `weft: npm ci ended with exit code ${result.status ?? result.signal}; nothing was started.`,
      "Read npm's message above: most often the registry cannot be reached or the disk is full.",
      "Your data is not concerned. Run the command again once it is mended; `npm ci` alone shows more."
    )
  }
  writeFileSync(stamp, lockHash())
}

/** Some builds of npm (Debian's 9.2) install the project's own Node and leave out its link in node_modules/.bin. */
const linkNode = () => {
  const bin = join(root, "node_modules", ".bin")
  const own = `node-${process.platform}-${process.arch}`
  if (process.platform === "win32" || existsSync(join(bin, "node"))) return
  if (!existsSync(join(root, "node_modules", own, "bin", "node"))) return
  mkdirSync(bin, { recursive: true })
  symlinkSync(join("..", own, "bin", "node"), join(bin, "node"))
}

/** The Node that npm scripts use from now on: the one in node_modules/.bin comes first on their path. */
const nextNode = () => {
  const name = process.platform === "win32" ? "node.exe" : "node"
  const local = join(root, "node_modules", ".bin", name)
  const { status, stdout } = existsSync(local) ? spawnSync(local, ["--version"], { encoding: "utf8" }) : { status: 1 }
  return status === 0 ? stdout.trim() : process.version
}

const isTooOld = (version) => {
  const [major, minor] = version.replace(/^v/, "").split(".").map(Number)
  return major < NODE_MINIMUM[0] || (major === NODE_MINIMUM[0] && minor < NODE_MINIMUM[1])
}

if (!isInstalled()) install()
linkNode()

// When this script itself runs on a Node that is new enough, so does the next one: no need to ask.
if (isTooOld(process.version)) {
  const version = nextNode()
  if (isTooOld(version)) {
    fail(
      `weft: Node ${version.replace(/^v/, "")} cannot run this project: it needs ${NODE_MINIMUM.join(".")} or later.`,
      ownNode.includes(`${process.platform} ${process.arch}`)
        ? "The one that comes with the project was left out: run `npm ci --include=optional`,"
        : `Node 24 comes with the project on ${ownNode.join(", ")}, but not on ${process.platform} ${process.arch}:`,
      "or install Node 24 (https://nodejs.org, nvm, fnm, brew install node@24), then run the command again."
    )
  }
}
