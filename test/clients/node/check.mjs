// Runs the checks of a script and says of each how it ended, one JSON line each.
export async function run(checks) {
  let failed = false;
  for (const [check, f] of Object.entries(checks)) {
    const line = { check };
    try {
      await f();
    } catch (e) {
      failed = true;
      line.error = String(e?.stack ?? e) + (e?.cause ? "\ncause: " + String(e.cause.stack ?? e.cause) : "");
    }
    console.log(JSON.stringify(line));
  }
  process.exit(failed ? 1 : 0);
}
