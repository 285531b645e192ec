// Says one clear line where Node is too old. Plain old JavaScript: whatever Node there is must be able to read it.
var NODE_MAJOR_MIN = 24
var major = Number(process.versions.node.split('.')[0])
if (major < NODE_MAJOR_MIN) {
  process.stderr.write(
    'pollux: Node ' +
      NODE_MAJOR_MIN +
      ' or newer is needed, but this is Node ' +
      process.versions.node +
      '. ' +
      'On Linux `npm ci` brings the right one along (without --omit=optional); elsewhere install it.\n',
  )
  process.exit(1)
}
