/** `npm run check:house`: prints what breaks the house rules, one line each; exits 1 if anything does. Writes nothing. */
import { sources } from "./house/files.ts"
import { check, render } from "./house/rules.ts"

const all = sources()
const violations = check(all)
for (const violation of violations) console.log(render(violation))
console.log(`${all.length} files, ${violations.length} violations of the house rules`)
process.exitCode = violations.length === 0 ? 0 : 1
