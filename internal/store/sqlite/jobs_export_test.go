package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// JobPlans gives SQLite's plans of the statements that run for every item, by what they are for.
func JobPlans(ctx context.Context, db *DB) (map[string]string, error) {
	plans := map[string]string{}
	for what, query := range map[string]string{
		"the next team": teamAfter, "the first team": firstTeam, "what is due of a team": dueItems, "take": takeItem, "a text": readText, "begin": beginJob,
		"renew": renewLease, "park": parkItem, "a job by number": jobByNum, "a job by id": briefByID, "end": endHeld, "give back": releaseHeld, "who has an item": readHeld,
		"endpoints": anyEndpoint, "lost leases": lapsedItems, "due jobs": dueJobs, "an idempotency key": findKey, "old idempotency keys": forgetKeys,
		"rested uploads": restedUploads, "items by number": itemsByNumber, "items by end": itemsByEnd, "cancel": cancelItems, "a job within reach": briefJob + theJob,
	} {
		plan, err := explainQuery(ctx, db.main.write, query)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", what, err)
		}
		plans[what] = plan
	}
	return plans, nil
}

func explainQuery(ctx context.Context, db *sql.DB, query string) (string, error) {
	args := make([]any, max(strings.Count(query, "?"), strings.Count(query, "$")))
	rows, err := db.QueryContext(ctx, "EXPLAIN QUERY PLAN "+query, args...)
	if err != nil {
		return "", err
	}
	defer rows.Close()
	var lines []string
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), rows.Err()
}
