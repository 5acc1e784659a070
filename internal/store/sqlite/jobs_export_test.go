package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/promptd/promptd/internal/job"
)

// JobPlans gives SQLite's plans of the statements that run for every item, by what they are for.
func JobPlans(ctx context.Context, db *DB) (map[string]string, error) {
	plans := map[string]string{}
	for what, query := range map[string]string{
		"the next team": looksOf(job.Normal).teamAfter, "the first team": looksOf(job.Normal).firstTeam, "what is due of a team": looksOf(job.Normal).dueItems, "take": some(these(takeItems)), "what a batch shares": sharedRequest, "begin": some(these(beginJobs)),
		"renew": renewLease, "park": parkItem, "a job by number": jobByNum, "jobs by id": some(these(jobsByID)), "end": some(block{endItemsHead, twoRow, endItemsTail, 2}), "give back": releaseHeld, "who has items": some(these(heldItems)),
		"end jobs": some(these(endJobs)), "end jobs and look later": some(these(endJobsDue)), "the last job": lastJob, "items that are there": anyItem,
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

// some is a block for several rows.
func some(b block) string { return b.text(blockRows) }

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
