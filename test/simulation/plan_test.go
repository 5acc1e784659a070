package simulation

import (
	"fmt"
	"time"

	"github.com/promptd/promptd/internal/job"
	"github.com/promptd/promptd/internal/key"
	"github.com/promptd/promptd/test/history"
)

// The times of a history: small ones, in the proportions of real ones.
const (
	lease        = 3 * time.Second
	budgetLease  = 6 * time.Second
	hookLease    = 3 * time.Second
	attempts     = 4
	workers      = 3
	slots        = 4
	leastOrders  = 20
	submitWithin = 10 * time.Second
	// troubleEnds is when nothing fails any more; what was delayed before may come later.
	troubleEnds = 22 * time.Second
	// grace is how long after the lease what a dead process held may stay reserved.
	grace = 60 * time.Second
)

// kind is a way in which something goes wrong, or an unusual course; at least one history in twenty has each.
type kind int

const (
	crashBefore    kind = iota // a process dies before a call took effect
	crashAfter                 // a process dies after a call took effect, without an answer
	killed                     // a process dies in between
	failed                     // a call fails without effect
	lostAnswer                 // a call takes effect, and its answer is lost
	delayed                    // a call takes effect late, when nobody waits for it any more
	frozen                     // a process stands still past its leases, and goes on
	restarted                  // a process ends with a warning
	cutStore                   // a process does not reach the store
	cutBroker                  // a process does not reach the broker
	brokerAway                 // nobody reaches the broker
	brokerLoses                // messages are lost
	brokerDoubles              // messages come twice
	brokerReorders             // messages overtake each other
	clockJumps                 // the clock of a process is set
	providerFails              // the provider answers with errors
	providerSlow               // the provider takes longer than a lease
	poison                     // an item ends the process that does it
	receiverFails              // the receiver answers with errors
	receiverHangs              // the receiver has a message, and does not answer
	receiverAway               // the receiver is not to be reached
	cancelled                  // a job is cancelled
	retried                    // a job is retried
	resubmitted                // an order is sent again because its answer was lost
	batch                      // a job has several items
	uploaded                   // a job comes in lines
	portions                   // and so many that they are kept in portions
	later                      // a job has a run_at
	deadline                   // a job has a deadline
	lowClass                   // jobs of all classes
	shortBudget                // a team's budget does not cover all
	midnight                   // a budget's period ends meanwhile
	kinds                      // how many there are
)

func (k kind) String() string {
	return [kinds]string{
		"crash before a write", "crash after a write", "kill", "failed call", "lost answer", "delayed call", "frozen process", "restart", "cut off from the store", "cut off from the broker",
		"broker away", "message lost", "message doubled", "message overtaken", "clock set", "provider fails", "provider slow", "poison item", "receiver fails", "receiver hangs", "receiver away",
		"cancelled", "retried", "sent again", "batch", "upload", "upload in portions", "run_at", "deadline", "all classes", "short budget", "end of a period",
	}[k]
}

// plan is what is drawn of a history before it begins.
type plan struct {
	chance
	calm   bool // Nothing fails, and teams take turns strictly.
	start  time.Duration
	rate   [kinds]float64 // How often a call meets a fault.
	orders []order
	acts   []act
}

// order is what a caller does.
type order struct {
	history.Order
	at       time.Duration
	priority job.Priority
	upload   bool
	n        int
	inline   bool // It names a URL of its own.
	cancel   time.Duration
	retry    bool
	poison   bool
}

// act is something that happens to a process or a server at a time.
type act struct {
	at, lasts time.Duration
	kind      kind
	slot      int
	by        time.Duration
}

func teams() []key.TeamID { return []key.TeamID{"amber", "birch", "cedar"} }

// draw draws a plan.
func draw(seed uint64) *plan {
	p := &plan{chance: chance(mix(seed + 1))}
	p.calm = seed%16 == 15
	p.start = p.of(1).span(time.Hour, 20*time.Hour)
	if p.of(2).hit(0.12) {
		p.start = 24*time.Hour - p.of(3).span(2*time.Second, 20*time.Second)
	}
	p.drawRates()
	p.drawActs()
	n := leastOrders + p.of(4).n(3)
	for i := range n {
		p.orders = append(p.orders, p.drawOrder(i))
	}
	if big := &p.orders[p.of(12).n(n)]; !p.calm && p.of(11).hit(0.07) {
		big.Items, big.upload, big.RunAt, big.Deadline, big.poison = bigBatch, true, 0, 0, false
	}
	return p
}

// drawRates says how often calls fail. Each kind is at home in some histories only: where everything fails at once little is reached.
func (p *plan) drawRates() {
	if p.calm {
		return
	}
	for k, most := range map[kind]float64{
		crashBefore: 0.02, crashAfter: 0.02, failed: 0.08, lostAnswer: 0.08, delayed: 0.05, brokerLoses: 0.5, brokerDoubles: 0.3, brokerReorders: 0.5, providerFails: 0.3, providerSlow: 0.25,
		receiverFails: 0.4, receiverHangs: 0.2,
	} {
		if p.of(5, uint64(k)).hit(0.4) { //nolint:gosec // Kinds are small.
			p.rate[k] = most * p.of(6, uint64(k)).float() //nolint:gosec // As above.
		}
	}
}

// drawActs says what happens to processes and servers.
func (p *plan) drawActs() {
	if p.calm {
		return
	}
	for k, most := range map[kind]time.Duration{
		killed: 0, frozen: 4 * lease, restarted: 0, cutStore: 2 * lease, cutBroker: 10 * time.Second, brokerAway: 12 * time.Second, clockJumps: 0, receiverAway: 15 * time.Second,
	} {
		c := p.of(7, uint64(k)) //nolint:gosec // Kinds are small.
		if !c.of(1).hit(0.35) {
			continue
		}
		for n := range 1 + c.of(2).n(2) {
			a := act{kind: k, at: c.of(3, uint64(n)).span(0, troubleEnds-2*time.Second), slot: c.of(4, uint64(n)).n(workers + 1)} //nolint:gosec // As above.
			a.lasts = min(c.of(5, uint64(n)).span(time.Second, max(most, time.Second)), troubleEnds-a.at)                         //nolint:gosec // As above.
			a.by = c.of(6, uint64(n)).span(-2*time.Hour, 2*time.Hour)                                                             //nolint:gosec // As above.
			p.acts = append(p.acts, a)
		}
	}
}

func (p *plan) drawOrder(i int) order {
	c := p.of(8, uint64(i)) //nolint:gosec // It counts up.
	o := order{n: i, at: c.of(1).span(0, submitWithin), priority: job.Normal}
	o.Items, o.Key, o.Webhook = 1, c.of(2).hit(0.7), true
	o.Team = string(teams()[c.of(3).n(3)])
	if c.of(4).hit(0.35) {
		o.Items = 2 + c.of(5).n(4)
	}
	o.upload = o.Items > 1 && c.of(6).hit(0.2)
	if p.of(9).hit(0.5) {
		o.priority = job.Priority(1 + c.of(7).n(3)) //nolint:gosec // It is a class.
	}
	o.Class = int(o.priority)
	o.inline = c.of(8).hit(0.5)
	o.Webhook = o.inline || o.Team != string(teams()[2]) // The last team has no endpoint.
	if p.calm {
		return p.calmOrder(i, o)
	}
	if !o.upload && c.of(10).hit(0.15) {
		o.RunAt = o.at + c.of(11).span(time.Second, 10*time.Second)
	}
	if !o.upload && c.of(12).hit(0.15) {
		o.Deadline = max(o.at, o.RunAt) + c.of(13).span(time.Second, 8*time.Second)
	}
	if c.of(14).hit(0.15) {
		o.cancel = c.of(15).span(0, 6*time.Second)
	}
	o.retry = c.of(16).hit(0.4)
	o.poison = c.of(17).hit(0.01)
	return o
}

// calmOrder is one of a history where turns are looked at: the first team sends much at once, the others little.
func (p *plan) calmOrder(i int, o order) order {
	o.priority, o.Class, o.Items, o.Team = job.Normal, int(job.Normal), 1, string(teams()[1+i%2])
	o.at = p.of(10, uint64(i)).span(600*time.Millisecond, submitWithin/4) //nolint:gosec // It counts up.
	if i < 5 {
		o.Items, o.Team, o.at = 16, string(teams()[0]), time.Duration(i+1)*100*time.Millisecond
	}
	o.Webhook = o.inline || o.Team != string(teams()[2])
	return o
}

// bounds are what the histories of these times promise.
func (p *plan) bounds() history.Bounds {
	b := history.Bounds{Lease: lease, Attempts: attempts, MaxAge: 24 * time.Hour}
	if p.calm {
		b.Fair = 2 * workers * slots
	}
	return b
}

// jobID names the n-th job that a process makes.
func jobID(process, n int) job.ID {
	return job.ID(fmt.Sprintf("00000000-0000-7000-8%03d-%012d", process, n))
}
