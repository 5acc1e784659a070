package sqlite

import "strings"

// The columns of a name s, of its newest usable version c, and of a version v.
const (
	nameColumns = `s.team, s.name, s.description, s.compatibility, s.owner, s.newest, s.created_at, s.updated_at, s.withdrawn_at, s.revision, c.version, c.hash`
	nameTables  = `{names} s LEFT JOIN {versions} c ON c.team = s.team AND c.name = s.name AND c.withdrawn_at IS NULL
		AND c.version = (SELECT max(version) FROM {versions} WHERE team = s.team AND name = s.name AND withdrawn_at IS NULL)`
	versionColumns = `v.team, v.name, v.version, v.hash, v.compatibility, v.owner, v.created_at, v.withdrawn_at`
)

// shelfSQL are the statements of a shelf. Its tables' names are constants of this package; every value is bound.
type shelfSQL struct {
	oneName, oneVersion, someNames, someVersions string
	insertName, nextVersion, insertVersion       string
	changeName, touchName                        string
	markName, markVersion, hasVersion            string
	moveCounter, readCounter                     string
}

// statements writes the statements for the tables.
func (t shelfTable) statements() shelfSQL {
	of := strings.NewReplacer("{names}", t.names, "{versions}", t.versions, "{content}", t.content, "{counter}", t.counter).Replace
	return shelfSQL{
		oneName: of(`SELECT ` + nameColumns + ` FROM ` + nameTables + ` WHERE s.team = $1 AND s.name = $2`),
		oneVersion: of(`SELECT ` + nameColumns + `, ` + versionColumns + `, v.{content} FROM ` + nameTables + `
			LEFT JOIN {versions} v ON v.team = s.team AND v.name = s.name AND v.version = CASE WHEN $3 = 0 THEN c.version ELSE $3 END
			WHERE s.team = $1 AND s.name = $2`),
		someNames: of(`SELECT ` + nameColumns + ` FROM ` + nameTables + `
			WHERE s.team = $1 AND s.name > $2 AND ($3 OR s.withdrawn_at IS NULL) ORDER BY s.name LIMIT $4`),
		someVersions: of(`SELECT ` + versionColumns + ` FROM {versions} v
			WHERE v.team = $1 AND v.name = $2 AND ($3 = 0 OR v.version < $3) AND ($4 OR v.withdrawn_at IS NULL) ORDER BY v.version DESC LIMIT $5`),

		insertName: of(`INSERT INTO {names} (team, name, description, compatibility, owner, newest, created_at, updated_at, revision)
			VALUES ($1, $2, $3, $4, $5, 1, $6, $6, 1)`),
		nextVersion: of(`UPDATE {names} SET newest = newest + 1, revision = revision + 1, updated_at = $3, description = coalesce($4, description)
			WHERE team = $1 AND name = $2`),
		insertVersion: of(`INSERT INTO {versions} (team, name, version, hash, compatibility, owner, created_at, {content})
			SELECT team, name, newest, $3, $4, $5, $6, $7 FROM {names} WHERE team = $1 AND name = $2`),

		changeName: of(`UPDATE {names} SET description = coalesce($3, description), compatibility = coalesce($4, compatibility), updated_at = $5,
			revision = revision + 1 WHERE team = $1 AND name = $2`),
		touchName: of(`UPDATE {names} SET updated_at = $3, revision = revision + 1 WHERE team = $1 AND name = $2`),

		// What is marked is the name for the number 0, else the version. A mark that is there already is left alone, and tells no change.
		markName: of(`UPDATE {names} SET withdrawn_at = $3, updated_at = $4, revision = revision + 1
			WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL)`),
		markVersion: of(`UPDATE {versions} SET withdrawn_at = $3
			WHERE team = $1 AND name = $2 AND (withdrawn_at IS NULL) = ($3 IS NOT NULL) AND version = $4`),
		hasVersion: of(`SELECT count(*) FROM {versions} WHERE team = $1 AND name = $2 AND version = $3`),

		// A change moves the counter, which other processes poll, in its own transaction.
		moveCounter: of(`UPDATE counters SET value = value + 1 WHERE name = '{counter}'`),
		readCounter: of(`SELECT value FROM counters WHERE name = '{counter}'`),
	}
}
