// Loaded before the program, in each of its threads. Says one clear line where Node is too old, so this is plain old
// JavaScript: whatever Node there is must be able to read it.
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
// What Node made of each module is kept from one start to the next; where the folder cannot be written it is not.
require('module').enableCompileCache(
  require('path').join(__dirname, '..', 'node_modules', '.cache', 'pollux'),
)
